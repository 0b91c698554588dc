package accounts

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// The keys of the secrets; each may also stand in a file of its own, by the key with inFile behind it.
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

// maxSecretFile is more than any secret needs, in bytes.
const maxSecretFile = 64 << 10

// aesKeyPattern is what an EncodingAESKey looks like: 43 characters of base64, which are 32 bytes.
var aesKeyPattern = regexp.MustCompile(`^[A-Za-z0-9+/]{43}$`)

// secrets are an account's keys for secrets, with their values.
type secrets map[string]*yaml.Node

func (s secrets) has(name string) bool { return s[name] != nil || s[name+inFile] != nil }

// single notes secrets that are given both in the file and in one of their own.
func (r *reader) single(found secrets) {
	for _, name := range secretNames {
		if found[name] != nil && found[name+inFile] != nil {
			r.Fail(found[name+inFile], "%s and %s are both given; expected one", name, name+inFile)
		}
	}
}

// needed returns a secret that must be there; why is said where it is not.
func (r *reader) needed(n *yaml.Node, found secrets, name, why string) service.Secret {
	// Where the key is there and its value is wrong, that was said.
	if configfile.Find(n, name) == nil && configfile.Find(n, name+inFile) == nil {
		r.Fail(n, "%s or %s is missing: %s", name, name+inFile, why)
	}
	return r.secret(found, name)
}

// secret returns a secret, "" where none is given. Its value is in no problem.
func (r *reader) secret(found secrets, name string) service.Secret {
	key, text := name, ""
	if n := found[name]; n != nil {
		text = n.Value
	} else if n := found[name+inFile]; n != nil {
		key = name + inFile
		var ok bool
		if text, ok = r.file(key, n); !ok {
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

// file returns what a secret's file holds, without the line end behind it.
func (r *reader) file(key string, n *yaml.Node) (string, bool) {
	path := r.path(n.Value)
	data, err := r.load.Read(path)
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		r.Fail(n, "%s: %s: %v", key, path, err)
	case len(data) > maxSecretFile:
		r.Fail(n, "%s: %s is no file with a secret: it has %d bytes", key, path, len(data))
	case text == "":
		r.Fail(n, "%s: %s is empty", key, path)
	default:
		return text, true
	}
	return "", false
}

// CheckSecret returns what no token, EncodingAESKey or AppSecret of a console can hold, without showing any of it; nil for
// a secret that can be right.
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
