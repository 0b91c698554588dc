package oauthsvc

import (
	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
)

// accountSet is the accounts of one moment.
type accountSet struct {
	byName map[string]accounts.Account
	first  string
}

// newAccountSet returns the set of a list that is not empty.
func newAccountSet(list ...accounts.Account) *accountSet {
	set := &accountSet{byName: make(map[string]accounts.Account, len(list)), first: list[0].Name}
	for _, a := range list {
		set.byName[a.Name] = a
	}
	return set
}

// find returns an account; "" names the first one.
func (s *accountSet) find(name string) (a accounts.Account, known bool) {
	if name == "" {
		name = s.first
	}
	a, known = s.byName[name]
	return a, known
}

// openAccounts reads the accounts, from their file if there is one.
func (s *Server) openAccounts(cfg Config) error {
	if cfg.AccountsFile == "" {
		fixed := newAccountSet(accounts.Account{Name: DefaultAccount, AppID: cfg.AppID, AppSecret: cfg.AppSecret})
		s.accounts = func() *accountSet { return fixed }
		return nil
	}
	var err error
	s.file, err = configfile.Open(cfg.Env, "oauthsvc accounts", func(load *configfile.Load, before *accountSet) *accountSet {
		list := accounts.Read(load, cfg.AccountsFile, accounts.OAuth)
		if load.Err() != nil {
			return nil
		}
		next := newAccountSet(list...)
		if before != nil {
			configfile.NoteNames(load, before.byName, next.byName)
		}
		return next
	})
	if err == nil {
		s.accounts = s.file.Value
	}
	return err
}
