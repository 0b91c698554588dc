package oauthsvc

import (
	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// roster is the accounts of one moment.
type roster struct {
	byName map[string]accounts.Account
	main   string // the one where none is named
}

// newRoster returns the roster of a list with one account at least.
func newRoster(list ...accounts.Account) *roster {
	r := &roster{byName: make(map[string]accounts.Account, len(list)), main: list[0].Name}
	for _, a := range list {
		r.byName[a.Name] = a
	}
	return r
}

// find returns an account that has what OAuth needs; "" names the main one.
func (r *roster) find(name string) (accounts.Account, error) {
	if name == "" {
		name = r.main
	}
	a, known := r.byName[name]
	switch {
	case !known:
		return a, unknownAccount("account: not one of this service's; expected the name of one, or nothing for the first")
	case a.AppSecret == "":
		return a, unknownAccount("account: " + name + " has no AppSecret, and so no OAuth; give it app_secret or app_secret_file in the accounts file")
	}
	return a, nil
}

func unknownAccount(message string) error {
	return service.NewError(codes.NotFound, reasonName(oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT), message, nil, nil)
}

// openAccounts sets what gives the accounts of the moment.
func (s *Server) openAccounts(cfg Config) error {
	if cfg.AccountsFile == "" {
		fixed := newRoster(accounts.Account{Name: DefaultAccount, AppID: cfg.AppID, AppSecret: cfg.AppSecret})
		s.accounts = func() *roster { return fixed }
		return nil
	}
	var err error
	s.file, err = configfile.Open(cfg.Env, "oauthsvc accounts", func(load *configfile.Load, before *roster) *roster {
		list := accounts.Read(load, cfg.AccountsFile, accounts.OAuth)
		if load.Err() != nil {
			return nil
		}
		next := newRoster(list...)
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
