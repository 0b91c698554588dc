package gateway

import (
	"errors"
	"fmt"
	"slices"
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
func newRoster(list []Account, before *roster, now time.Time) (*roster, error) {
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

// validateAccounts returns what is wrong with the accounts, or in their file.
func (c Config) validateAccounts() error {
	if c.AccountsFile != "" {
		if len(c.Accounts) > 0 {
			return errors.New("both Accounts and AccountsFile are given; expected one")
		}
		load := &configfile.Load{}
		accounts.ReadFile(load, c.AccountsFile, accounts.Gateway)
		return load.Err()
	}
	if len(c.Accounts) == 0 {
		return errors.New("no account")
	}
	var errs []error
	for i, a := range c.Accounts {
		errs = append(errs, a.Validate())
		if slices.ContainsFunc(c.Accounts[:i], func(b Account) bool { return a.Name == b.Name }) {
			errs = append(errs, fmt.Errorf("account name %q is given twice", a.Name))
		}
	}
	return errors.Join(errs...)
}

// openAccounts returns what gives the accounts of the moment.
func (s *Server) openAccounts(cfg Config) (func() *roster, error) {
	if cfg.AccountsFile == "" {
		fixed, err := newRoster(cfg.Accounts, nil, time.Now())
		return func() *roster { return fixed }, err
	}
	var err error
	s.accounts, err = configfile.Open(cfg.Env, "gateway accounts", func(load *configfile.Load, before *roster) *roster {
		return loadRoster(load, cfg.AccountsFile, before, time.Now())
	})
	if err != nil {
		return nil, err
	}
	return s.accounts.Value, nil
}

// loadRoster reads an accounts file; nil where it has problems.
func loadRoster(load *configfile.Load, path string, before *roster, now time.Time) *roster {
	read := accounts.ReadFile(load, path, accounts.Gateway)
	if load.Err() != nil {
		return nil
	}
	list := make([]Account, len(read))
	for i, a := range read {
		list[i] = Account{Name: a.Name, AppID: a.AppID, Token: a.Token, AESKey: a.AESKey, Mode: a.Mode,
			PreviousToken: a.PreviousToken, PreviousAESKey: a.PreviousAESKey, OriginalID: a.OriginalID,
			Slow: a.Slow, Pushable: a.HasSecret}
	}
	next, err := newRoster(list, before, now)
	if err != nil {
		load.Fail(path, "%v", err)
	} else if before != nil {
		configfile.NoteNames(load, before.byName, next.byName)
	}
	return next
}
