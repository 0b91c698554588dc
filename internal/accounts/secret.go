package accounts

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// The keys of secrets. A key with inFile appended names a file that holds the secret.
const (
	token             = "token"
	aesKey            = "aes_key"
	appSecret         = "app_secret"
	previousToken     = "previous_token"
	previousAESKey    = "previous_aes_key"
	previousAppSecret = "previous_app_secret"

	inFile = "_file"
)

var secretNames = []string{token, aesKey, appSecret, previousToken, previousAESKey, previousAppSecret}

// aesKeyPattern is the form of an EncodingAESKey: 43 characters of base64, which are 32 bytes.
var aesKeyPattern = regexp.MustCompile(`^[A-Za-z0-9+/]{43}$`)

// secretNodes are the values of an account's keys for secrets, by key.
type secretNodes map[string]*yaml.Node

func (s secretNodes) isGiven(name string) bool { return s[name] != nil || s[name+inFile] != nil }

// rejectDoubles reports secrets that are given both in the file and in a file of their own.
func (r *fileReader) rejectDoubles(found secretNodes) {
	for _, name := range secretNames {
		if found[name] != nil && found[name+inFile] != nil {
			r.Fail(found[name+inFile], "%s and %s are both given; expected one", name, name+inFile)
		}
	}
}

// requireSecret returns a secret that must be given. Without it, why is part of the problem.
func (r *fileReader) requireSecret(n *yaml.Node, found secretNodes, name, why string) service.Secret {
	// If the key is given and its value is wrong, that was reported.
	if configfile.FindKey(n, name) == nil && configfile.FindKey(n, name+inFile) == nil {
		r.Fail(n, "%s or %s is missing: %s", name, name+inFile, why)
	}
	return r.readSecret(found, name)
}

// readSecret returns a secret, or "" if none is given. No problem shows its value.
func (r *fileReader) readSecret(found secretNodes, name string) service.Secret {
	key, text := name, ""
	if n := found[name]; n != nil {
		text = n.Value
	} else if n := found[name+inFile]; n != nil {
		key = name + inFile
		var ok bool
		if text, ok = r.readSecretFile(key, n); !ok {
			return ""
		}
	} else {
		return ""
	}
	switch n := found[key]; {
	case CheckSecret(text) != nil:
		r.Fail(n, "%s: %v", key, CheckSecret(text))
	case (name == aesKey || name == previousAESKey) && len(text) != 43:
		r.Fail(n, "%s: an EncodingAESKey has 43 characters, this one has %d", key, len(text))
	case (name == aesKey || name == previousAESKey) && !aesKeyPattern.MatchString(text):
		r.Fail(n, "%s: an EncodingAESKey has only the characters A-Z, a-z, 0-9, + and /", key)
	}
	return service.Secret(text)
}

// readSecretFile returns the content of a secret's file without the newline at its end.
func (r *fileReader) readSecretFile(key string, n *yaml.Node) (string, bool) {
	path := r.resolvePath(n.Value)
	data, err := r.load.ReadFile(path)
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		r.Fail(n, "%s: %s: %v", key, path, err)
	case len(data) > service.MaxSecretFile:
		r.Fail(n, "%s: %s is not a file with a secret: it has %d bytes", key, path, len(data))
	case text == "":
		r.Fail(n, "%s: %s is empty", key, path)
	default:
		return text, true
	}
	return "", false
}

// CheckSecret returns an error, which does not show the secret, if no token, EncodingAESKey or AppSecret of WeChat's console
// can have this text.
func CheckSecret(text string) error {
	switch {
	case strings.HasPrefix(text, "\uFEFF"):
		return errors.New("begins with a byte order mark; save the file as UTF-8 without one")
	case strings.ContainsAny(text, "\"'`"):
		return errors.New("holds a quote; give the secret without quotes, which docker run --env-file and secret files keep")
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }):
		return errors.New("holds a space or another character that no secret of WeChat's has")
	}
	return nil
}
