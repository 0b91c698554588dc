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

// Config configures a Server.
type Config struct {
	Env          service.Env
	Listen       string // gRPC address
	AppID        string // of the only account
	AppSecret    service.Secret
	AccountsFile string       // instead of AppID and AppSecret: the file that lists the accounts, reloaded when it changes
	Store        *store.Store // keeps tokens; nil: memory does
	APIURL       string       // the URL of WeChat's API, https://api.weixin.qq.com; after a comma, the URL to use if the first one fails
	OpenURL      string       // the URL of WeChat's open platform, which has the authorize page: https://open.weixin.qq.com
}

// Validate returns all errors of the configuration, and of the accounts file.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("--oauth-listen (WXGATE_OAUTH_LISTEN): %q; expected host and port, such as 127.0.0.1:9002", c.Listen))
	}
	errs = append(errs, c.validateAccounts())
	for base := range strings.SplitSeq(c.APIURL, ",") {
		errs = append(errs, checkBaseURL("--api-url (WECHAT_API_URL)", base))
	}
	return errors.Join(append(errs, checkBaseURL("--open-url (WECHAT_OPEN_URL)", c.OpenURL))...)
}

func (c Config) validateAccounts() error {
	if c.AccountsFile != "" {
		if c.AppID != "" || c.AppSecret != "" {
			return errors.New("both an AccountsFile and an AppID or AppSecret are given; expected one")
		}
		load := &configfile.Load{}
		accounts.ReadFile(load, c.AccountsFile, accounts.OAuth)
		return load.Err()
	}
	var errs []error
	if c.AppID == "" {
		errs = append(errs, errors.New("--app-id (WECHAT_APP_ID) is missing: the AppID of the account's console"))
	} else if err := accounts.CheckAppID(c.AppID); err != nil {
		errs = append(errs, fmt.Errorf("--app-id (WECHAT_APP_ID): %w", err))
	}
	if c.AppSecret == "" {
		errs = append(errs, errors.New("--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE) is missing: the AppSecret of the account's console"))
	} else if err := accounts.CheckSecret(c.AppSecret.Reveal()); err != nil {
		errs = append(errs, fmt.Errorf("--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE): %w", err))
	}
	return errors.Join(errs...)
}

// checkBaseURL returns an error if no path can be appended to base. It does not show the URL, which may hold a password.
func checkBaseURL(setting, base string) error {
	if base == "" {
		return fmt.Errorf("%s is missing: a URL such as https://api.weixin.qq.com", setting)
	}
	u, err := url.Parse(base)
	if err != nil || !wechatapi.IsWebURL(u) || strings.ContainsAny(base, "?#") {
		return fmt.Errorf("%s: expected http:// or https:// and a host, without user, query and fragment", setting)
	}
	return nil
}
