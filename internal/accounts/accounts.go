// Package accounts reads the file that lists Official Accounts. Each service reads it for itself, and gets its own
// secrets only.
package accounts

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// Role is what an account is read for.
type Role int

// The roles. The file of a secret that a role has no need of is not opened.
const (
	Replier Role = iota // no secret
	Gateway             // token, and AES key where the mode is not plain
	OAuth               // AppSecret
)

// Account is an Official Account of the file. What its role has no need of is empty.
type Account struct {
	Name       string // in paths, logs and messages: 1 to 64 letters, digits, - or _
	AppID      string // "" only in plain mode without an AppSecret
	Mode       string // plain, compat or safe
	OriginalID string // gh_…, the ToUserName of its callbacks; "" where none is given
	Rules      string // its rules file, from the directory of this process; "" where none is given
	HasSecret  bool   // an AppSecret is given, whatever the role
	Slow       Slow   // the zero Slow where none is given

	Token, AESKey                 service.Secret // EncodingAESKey: 43 characters
	PreviousToken, PreviousAESKey service.Secret // those before the last change; "" where none is given, or the same
	AppSecret, PreviousAppSecret  service.Secret
}

// Read returns the accounts of a file, in its order; the first is the main one. What is wrong is a problem of the load.
// Then the accounts are good for nothing.
func Read(load *configfile.Load, path string, role Role) []Account {
	d := load.Open(path)
	if d == nil {
		return nil
	}
	r := reader{Document: d, load: load, role: role}
	list := configfile.Find(d.Root, "accounts")
	r.Mapping(d.Root, "accounts", map[string]func(*yaml.Node){"accounts": func(n *yaml.Node) { r.List(n, r.account) }})
	switch {
	case load.Err() != nil:
	case list == nil:
		r.Fail(d.Root, "accounts is missing; expected a list of accounts")
	case role == OAuth && !slices.ContainsFunc(r.all, func(a Account) bool { return a.HasSecret }):
		r.Fail(list, "no account has an AppSecret; expected app_secret or app_secret_file in one at least")
	}
	return r.all
}

// reader reads one file.
type reader struct {
	*configfile.Document
	load *configfile.Load
	role Role
	all  []Account
}

const keys = "name, app_id, token, aes_key, mode, app_secret, original_id, rules, slow, previous_token, previous_aes_key or previous_app_secret; token_file and so on for a secret in a file of its own"

// What names and ids look like.
var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	appID       = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	originalID  = regexp.MustCompile(`^gh_[A-Za-z0-9_-]{1,61}$`)
)

// IsAppID reports whether text can be an AppID.
func IsAppID(text string) bool { return appID.MatchString(text) }

// account reads one account.
func (r *reader) account(n *yaml.Node) {
	r.In = fmt.Sprintf("account %d", len(r.all)+1)
	if name := configfile.Find(n, "name"); name != nil && namePattern.MatchString(name.Value) {
		r.In = fmt.Sprintf("account %q", name.Value)
	}
	defer func() { r.In = "" }()
	var a Account
	found := secrets{}
	fields := map[string]func(*yaml.Node){
		"name":        r.unique("name", &a.Name, namePattern, "1 to 64 letters, digits, - or _", func(b *Account) string { return b.Name }),
		"app_id":      r.unique("app_id", &a.AppID, appID, "letters and digits, such as wx0123456789abcdef", func(b *Account) string { return b.AppID }),
		"original_id": r.unique("original_id", &a.OriginalID, originalID, "gh_ and letters and digits, as in the account's settings", func(b *Account) string { return b.OriginalID }),
		"mode":        func(n *yaml.Node) { a.Mode = r.mode(n) },
		"slow":        func(n *yaml.Node) { a.Slow = ReadSlow(r.Document, n) },
		"rules": func(n *yaml.Node) {
			if path, ok := r.Scalar(n); ok {
				a.Rules = r.path(path)
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
		r.complete(n, &a, found)
	}
	r.all = append(r.all, a)
}

// unique returns what reads a text that is of a pattern, and of one account alone.
func (r *reader) unique(key string, into *string, pattern *regexp.Regexp, expected string, of func(*Account) string) func(*yaml.Node) {
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
			r.Fail(n, "%s: account %d has the same; expected another for each", key, i+1)
			return
		}
		*into = text
	}
}

// The modes; see the gateway's.
const (
	plain  = "plain"
	compat = "compat"
	safe   = "safe"
)

func (r *reader) mode(n *yaml.Node) string {
	mode, ok := r.Scalar(n)
	if ok && mode != plain && mode != compat && mode != safe {
		r.Fail(n, "mode: %q; expected plain, compat or safe", mode)
	}
	return mode
}

// complete fills in what follows from other keys, and notes what is missing.
func (r *reader) complete(n *yaml.Node, a *Account, found secrets) {
	a.HasSecret = found.has(appSecret)
	missing := func(key string) bool { return configfile.Find(n, key) == nil }
	if missing("mode") {
		a.Mode = plain
		if found.has(aesKey) {
			a.Mode = safe
		}
	}
	sealed := a.Mode == compat || a.Mode == safe
	if missing("name") {
		r.Fail(n, "name is missing; expected 1 to 64 letters, digits, - or _")
	}
	switch {
	case !missing("app_id"):
	case sealed:
		r.Fail(n, "app_id is missing: mode %s checks it", a.Mode)
	case a.HasSecret:
		r.Fail(n, "app_id is missing: an AppSecret is of no use without it")
	}
	r.single(found)
	switch r.role {
	case Gateway:
		a.Token = r.needed(n, found, token, "the token that the console has for the callback URL")
		a.PreviousToken = other(r.secret(found, previousToken), a.Token)
		if sealed {
			a.AESKey = r.needed(n, found, aesKey, fmt.Sprintf("mode %s opens envelopes with it", a.Mode))
			a.PreviousAESKey = other(r.secret(found, previousAESKey), a.AESKey)
		}
	case OAuth:
		a.AppSecret = r.secret(found, appSecret)
		a.PreviousAppSecret = other(r.secret(found, previousAppSecret), a.AppSecret)
	case Replier:
	}
}

// other returns the previous secret, "" where it is still the present one.
func other(previous, present service.Secret) service.Secret {
	if previous == present {
		return ""
	}
	return previous
}

// path returns a path of the file as one of this process: it is relative to the file.
func (r *reader) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.File()), path)
}
