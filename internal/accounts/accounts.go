// Package accounts reads the file that lists Official Accounts. Each service reads it for itself, and gets only its own
// secrets.
package accounts

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// DefaultName is the name of the only account of a process without an accounts file.
const DefaultName = "default"

// Role is the service that an account is read for.
type Role int

// The roles. The file of a secret that the role does not need is not opened.
const (
	Replier Role = iota // no secret
	Gateway             // token, and AES key unless the mode is plain
	OAuth               // AppSecret
)

// Mode is how WeChat sends an account's callbacks, as set in its console.
type Mode string

// The modes of the platform page "消息推送".
const (
	Plain  Mode = "plain"  // 明文模式
	Compat Mode = "compat" // 兼容模式: sealed callbacks with additional plain elements, which are ignored
	Safe   Mode = "safe"   // 安全模式: sealed callbacks
)

// IsSealed reports whether callbacks may come as encrypted envelopes.
func (m Mode) IsSealed() bool { return m == Compat || m == Safe }

// Validate reports a mode that does not exist.
func (m Mode) Validate() error {
	if m == Plain || m.IsSealed() {
		return nil
	}
	return fmt.Errorf("%q; expected plain, compat or safe", m)
}

// Source says which accounts a service has: those of List, or those of File.
type Source struct {
	List  []Account         // the first is the main one
	File  string            // path of an accounts file; it is read again when it changes
	Cache *configfile.Cache // through which File is read at first; nil: none
}

// Account is an Official Account of the file. Secrets that its role does not need are empty.
type Account struct {
	Name       string // in paths, logs and messages: 1 to 64 letters, digits, - or _
	AppID      string // "" only in plain mode without an AppSecret
	Mode       Mode
	OriginalID string // gh_…, the ToUserName of its callbacks; "" if none is given
	Rules      string // path of its rules file; "" if none is given
	HasSecret  bool   // an AppSecret is given, for any role
	Slow       Slow   // the zero Slow if none is given

	Token, AESKey                 service.Secret // EncodingAESKey: 43 characters
	PreviousToken, PreviousAESKey service.Secret // those before the last change; "" if none is given, or it has not changed
	AppSecret, PreviousAppSecret  service.Secret
}

// ReadFile returns the accounts of a file, in its order. Errors in the file become problems of the load; the accounts must not
// be used then.
func ReadFile(load *configfile.Load, path string, role Role) []Account {
	d := load.OpenYAML(path)
	if d == nil {
		return nil
	}
	r := fileReader{Document: d, load: load, role: role}
	list := configfile.FindKey(d.Root, "accounts")
	r.Mapping(d.Root, "accounts", map[string]func(*yaml.Node){"accounts": func(n *yaml.Node) { r.EachItem(n, r.readAccount) }})
	switch {
	case load.Err() != nil:
	case list == nil:
		r.Fail(d.Root, "accounts is missing; expected a list of accounts")
	case role == OAuth && !slices.ContainsFunc(r.all, func(a Account) bool { return a.HasSecret }):
		r.Fail(list, "no account has an AppSecret; expected app_secret or app_secret_file in at least one")
	}
	return r.all
}

// fileReader reads one file.
type fileReader struct {
	*configfile.Document
	load *configfile.Load
	role Role
	all  []Account
}

const keys = "name, app_id, token, aes_key, mode, app_secret, original_id, rules, slow, previous_token, previous_aes_key or previous_app_secret; token_file and so on for a secret in a file of its own"

// The forms of names and ids.
var (
	namePattern       = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	appIDPattern      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	originalIDPattern = regexp.MustCompile(`^gh_[A-Za-z0-9_-]{1,61}$`)
)

// The forms in words, for errors.
const (
	nameExpected       = "1 to 64 letters, digits, - or _"
	appIDExpected      = "letters and digits, such as wx0123456789abcdef"
	originalIDExpected = "gh_ and letters and digits, as in the account's settings"
)

// CheckName returns an error if an account cannot have this name.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q; expected %s", name, nameExpected)
	}
	return nil
}

// CheckAppID returns an error, which does not show the text, if it cannot be an AppID.
func CheckAppID(text string) error {
	if !appIDPattern.MatchString(text) {
		return errors.New("expected " + appIDExpected)
	}
	return nil
}

func (r *fileReader) readAccount(n *yaml.Node) {
	r.In = fmt.Sprintf("account %d", len(r.all)+1)
	if name := configfile.FindKey(n, "name"); name != nil && namePattern.MatchString(name.Value) {
		r.In = fmt.Sprintf("account %q", name.Value)
	}
	defer func() { r.In = "" }()
	var a Account
	found := secretNodes{}
	fields := map[string]func(*yaml.Node){
		"name":        r.uniqueText("name", &a.Name, namePattern, nameExpected, func(b *Account) string { return b.Name }),
		"app_id":      r.uniqueText("app_id", &a.AppID, appIDPattern, appIDExpected, func(b *Account) string { return b.AppID }),
		"original_id": r.uniqueText("original_id", &a.OriginalID, originalIDPattern, originalIDExpected, func(b *Account) string { return b.OriginalID }),
		"mode":        func(n *yaml.Node) { a.Mode = r.readMode(n) },
		"slow":        func(n *yaml.Node) { a.Slow = ReadSlow(r.Document, n) },
		"rules": func(n *yaml.Node) {
			if path, ok := r.Scalar(n); ok {
				a.Rules = r.resolvePath(path)
			}
		},
	}
	for _, name := range secretNames {
		for _, key := range []string{name, name + inFile} {
			fields[key] = func(n *yaml.Node) {
				if _, ok := r.Scalar(n); ok {
					found[key] = n
				}
			}
		}
	}
	r.Mapping(n, keys, fields)
	if n.Kind == yaml.MappingNode {
		r.completeAccount(n, &a, found)
	}
	r.all = append(r.all, a)
}

// uniqueText returns a reader for a field that must match pattern and differ between accounts. The reader sets into; of returns
// the field of another account.
func (r *fileReader) uniqueText(key string, into *string, pattern *regexp.Regexp, expected string, of func(*Account) string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := r.Scalar(n)
		if !ok {
			return
		}
		if !pattern.MatchString(text) {
			r.Fail(n, "%s: expected %s", key, expected)
			return
		}
		if i := slices.IndexFunc(r.all, func(a Account) bool { return of(&a) == text }); i >= 0 {
			r.Fail(n, "%s: account %d has the same; expected a different one for each", key, i+1)
			return
		}
		*into = text
	}
}

func (r *fileReader) readMode(n *yaml.Node) Mode {
	text, ok := r.Scalar(n)
	mode := Mode(text)
	if err := mode.Validate(); ok && err != nil {
		r.Fail(n, "mode: %v", err)
	}
	return mode
}

// completeAccount fills in the fields that follow from other keys, and reports missing keys.
func (r *fileReader) completeAccount(n *yaml.Node, a *Account, found secretNodes) {
	a.HasSecret = found.isGiven(appSecret)
	missing := func(key string) bool { return configfile.FindKey(n, key) == nil }
	if missing("mode") {
		a.Mode = Plain
		if found.isGiven(aesKey) {
			a.Mode = Safe
		}
	}
	if missing("name") {
		r.Fail(n, "name is missing; expected "+nameExpected)
	}
	switch {
	case !missing("app_id"):
	case a.Mode.IsSealed():
		r.Fail(n, "app_id is missing: mode %s checks it", a.Mode)
	case a.HasSecret:
		r.Fail(n, "app_id is missing: an AppSecret is useless without it")
	}
	r.rejectDoubles(found)
	switch r.role {
	case Gateway:
		a.Token = r.requireSecret(n, found, token, "the token that the console has for the callback URL")
		a.PreviousToken = ifChanged(r.readSecret(found, previousToken), a.Token)
		if a.Mode.IsSealed() {
			a.AESKey = r.requireSecret(n, found, aesKey, fmt.Sprintf("mode %s opens envelopes with it", a.Mode))
			a.PreviousAESKey = ifChanged(r.readSecret(found, previousAESKey), a.AESKey)
		}
	case OAuth:
		a.AppSecret = r.readSecret(found, appSecret)
		a.PreviousAppSecret = ifChanged(r.readSecret(found, previousAppSecret), a.AppSecret)
	case Replier:
	}
}

// ifChanged returns the previous secret, or "" if it is still the present one.
func ifChanged(previous, present service.Secret) service.Secret {
	if previous == present {
		return ""
	}
	return previous
}

// resolvePath returns the path that this process can open: a path in the file is relative to the file.
func (r *fileReader) resolvePath(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.FileName()), path)
}
