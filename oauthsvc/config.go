package oauthsvc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/oauthsvc/wechatapi"
)

// DefaultAccount is the name of the only account, where there is no accounts file.
const DefaultAccount = "default"

// Config is what an OAuth service needs.
type Config struct {
	Env          service.Env
	Listen       string // gRPC address
	AppID        string // of the only account
	AppSecret    service.Secret
	AccountsFile string       // in place of AppID and AppSecret: the file that lists the accounts, read again when it changes
	Store        *store.Store // where tokens are kept; nil: in memory
	APIURL       string       // where WeChat's API is, https://api.weixin.qq.com; behind a comma, where it is if that fails
	OpenURL      string       // where WeChat's authorize page is, https://open.weixin.qq.com
}

// Validate returns everything that is wrong, in the accounts file too.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("--oauth-listen (WXGATE_OAUTH_LISTEN): %q; expected host and port, such as 127.0.0.1:9002", c.Listen))
	}
	errs = append(errs, c.validateAccounts())
	for base := range strings.SplitSeq(c.APIURL, ",") {
		errs = append(errs, checkBase("--api-url (WECHAT_API_URL)", base))
	}
	return errors.Join(append(errs, checkBase("--open-url (WECHAT_OPEN_URL)", c.OpenURL))...)
}

func (c Config) validateAccounts() error {
	if c.AccountsFile != "" {
		if c.AppID != "" || c.AppSecret != "" {
			return errors.New("both an AccountsFile and an AppID or AppSecret are given; expected one")
		}
		load := &configfile.Load{}
		accounts.Read(load, c.AccountsFile, accounts.OAuth)
		return load.Err()
	}
	var errs []error
	switch {
	case c.AppID == "":
		errs = append(errs, errors.New("--app-id (WECHAT_APP_ID) is missing: the AppID of the account's console"))
	case !accounts.IsAppID(c.AppID):
		errs = append(errs, errors.New("--app-id (WECHAT_APP_ID): expected letters and digits, such as wx0123456789abcdef"))
	}
	if c.AppSecret == "" {
		errs = append(errs, errors.New("--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE) is missing: the AppSecret of the account's console"))
	} else if err := accounts.CheckSecret(c.AppSecret.Reveal()); err != nil {
		errs = append(errs, fmt.Errorf("--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE): %w", err))
	}
	return errors.Join(errs...)
}

// checkBase reports a URL to which no path can be appended. It does not show the URL: a wrong one may hold a password.
func checkBase(setting, base string) error {
	if base == "" {
		return fmt.Errorf("%s is missing: a URL such as https://api.weixin.qq.com", setting)
	}
	u, err := url.Parse(base)
	if err != nil || !wechatapi.IsWebURL(u) || strings.ContainsAny(base, "?#") {
		return fmt.Errorf("%s: expected http:// or https:// and a host, without user, query and fragment", setting)
	}
	return nil
}
