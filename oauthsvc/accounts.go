package oauthsvc

import (
	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
)

type accountSet = accounts.Set[accounts.Account]

func newAccountSet(list ...accounts.Account) *accountSet {
	set := accounts.NewSet[accounts.Account]()
	for _, a := range list {
		set.Add(a.Name, a)
	}
	return set
}

// openAccounts reads the accounts, from their file if there is one.
func (s *Server) openAccounts(cfg Config) error {
	if cfg.AccountsFile == "" {
		fixed := newAccountSet(accounts.Account{Name: accounts.DefaultName, AppID: cfg.AppID, AppSecret: cfg.AppSecret})
		s.accounts = func() *accountSet { return fixed }
		return nil
	}
	var err error
	s.file, err = configfile.Open(cfg.Env, "oauthsvc accounts", func(load *configfile.Load, before *accountSet) *accountSet {
		list := accounts.ReadFile(load, cfg.AccountsFile, accounts.OAuth)
		if load.Err() != nil {
			return nil
		}
		next := newAccountSet(list...)
		if before != nil {
			configfile.NoteNames(load, before.ByName, next.ByName)
		}
		return next
	})
	if err == nil {
		s.accounts = s.file.Value
	}
	return err
}
