package gateway

import (
	"fmt"
	"time"

	"wxgate/gateway/login"
	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
)

// grace is how long a previous token or AES key is good after this process saw it first.
const grace = time.Hour

// roster is the accounts of one moment, made ready.
type roster struct {
	byName   map[string]*account
	main     *account // on "/", and where no account is named
	forLogin *login.Accounts
}

// newRoster makes accounts ready; there is one at least. before is the roster until now, or nil.
func newRoster(list []accounts.Account, before *roster, now time.Time) (*roster, error) {
	if before == nil {
		before = &roster{}
	}
	next := &roster{byName: make(map[string]*account, len(list)), forLogin: &login.Accounts{Main: list[0].Name, AppIDs: make(map[string]string, len(list))}}
	for _, a := range list {
		ready, err := newAccount(a, before.byName[a.Name], now)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
		next.byName[a.Name] = ready
		next.forLogin.AppIDs[a.Name] = a.AppID
		if next.main == nil {
			next.main = ready
		}
	}
	return next, nil
}

// loadRoster reads an accounts file; nil if it has problems.
func loadRoster(load *configfile.Load, path string, before *roster, now time.Time) *roster {
	list := accounts.ReadFile(load, path, accounts.Gateway)
	if load.Err() != nil {
		return nil
	}
	next, err := newRoster(list, before, now)
	if err != nil {
		load.Fail(path, "%v", err)
	} else if before != nil {
		configfile.NoteNames(load, before.byName, next.byName)
	}
	return next
}
