package cli

import (
	"errors"
	"slices"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// accountsFlag is of the roles that can serve several accounts.
type accountsFlag struct {
	Accounts string `name:"accounts" env:"WXGATE_ACCOUNTS" placeholder:"FILE" help:"File that lists several accounts, in place of --app-id and the like; read again when it changes."`
}

// alone returns what of a single account is given besides the file of accounts; secret is its AppSecret.
func (f accountsFlag) alone(a accountFlags, secret service.Secret) error {
	if f.Accounts == "" {
		return nil
	}
	var errs []error
	for _, single := range []struct {
		given bool
		flag  string
	}{
		{a.AppID != "", "--app-id (WECHAT_APP_ID)"},
		{a.Token != "", "--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE)"},
		{a.AESKey != "", "--aes-key (WECHAT_AES_KEY or WECHAT_AES_KEY_FILE)"},
		{a.Mode != "", "--mode (WECHAT_MODE)"},
		{secret != "", "--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE)"},
	} {
		if single.given {
			errs = append(errs, errors.New(single.flag+" is given besides --accounts (WXGATE_ACCOUNTS); the file has all of it, give one of them"))
		}
	}
	return errors.Join(errs...)
}

// hasSecret tells whether an account of the file has an AppSecret. What is wrong with the file, Validate says.
func (f accountsFlag) hasSecret() bool {
	return f.Accounts != "" && slices.ContainsFunc(accounts.ReadFile(&configfile.Load{}, f.Accounts, accounts.Replier),
		func(a accounts.Account) bool { return a.HasSecret })
}
