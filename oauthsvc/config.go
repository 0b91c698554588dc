package oauthsvc

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/oauthsvc/wechatapi"
)

// Config configures a Server. Complete checks it.
type Config struct {
	Env      service.Env
	Listen   string          // gRPC address
	Accounts accounts.Source // with AppID and AppSecret; an account of a file may have none
	Store    *store.Store    // keeps tokens; nil: in memory
	APIURL   string          // of WeChat's API, https://api.weixin.qq.com; after a comma the one to use if that fails
	OpenURL  string          // of WeChat's authorize page, https://open.weixin.qq.com
}

// Completed is a Config that Complete found right. Store may still be set: it is opened after all configurations of the
// process were checked.
type Completed struct {
	Config
	accounts func() *accountSet            // of this moment
	watched  *configfile.Live[*accountSet] // nil without an accounts file
}

// Complete checks the configuration and reads the accounts file. The error has everything that is wrong in both.
func (c Config) Complete() (*Completed, error) {
	completed := &Completed{Config: c}
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, service.BadSetting("oauth listen", "%q; expected host and port, such as 127.0.0.1:9002", c.Listen))
	}
	errs = append(errs, completed.openAccounts())
	for base := range strings.SplitSeq(c.APIURL, ",") {
		errs = append(errs, checkBaseURL("api url", base))
	}
	if err := errors.Join(append(errs, checkBaseURL("open url", c.OpenURL))...); err != nil {
		return nil, err
	}
	return completed, nil
}

// openAccounts makes the accounts ready.
func (c *Completed) openAccounts() error {
	list := c.Accounts.List
	switch {
	case c.Accounts.File == "" && len(list) == 0:
		return errors.New("no account")
	case c.Accounts.File == "":
		fixed := newAccountSet(list...)
		c.accounts = func() *accountSet { return fixed }
		return checkAccounts(list)
	case len(list) > 0:
		return errors.New("a list and a file of accounts are given; expected one")
	}
	var err error
	c.watched, err = configfile.Open("oauthsvc accounts", c.Accounts.Cache, func(load *configfile.Load, before *accountSet) *accountSet {
		return loadAccountSet(load, c.Accounts.File, before)
	})
	if err != nil {
		return err
	}
	c.accounts = c.watched.Value
	return nil
}

// checkAccounts returns everything that is wrong with accounts that no file describes.
func checkAccounts(list []accounts.Account) error {
	var errs []error
	for _, a := range list {
		if a.AppID == "" {
			errs = append(errs, service.BadSetting("app id", "missing; expected the AppID of the account's console"))
		} else if err := accounts.CheckAppID(a.AppID); err != nil {
			errs = append(errs, service.BadSetting("app id", "%w", err))
		}
		if a.AppSecret == "" {
			errs = append(errs, service.BadSetting("app secret", "missing; expected the AppSecret of the account's console"))
		} else if err := accounts.CheckSecret(a.AppSecret.Reveal()); err != nil {
			errs = append(errs, service.BadSetting("app secret", "%w", err))
		}
	}
	return errors.Join(errs...)
}

// checkBaseURL returns an error if no path can be appended to base. It does not show the URL, which may hold a password.
func checkBaseURL(setting, base string) error {
	if base == "" {
		return service.BadSetting(setting, "missing; expected a URL such as https://api.weixin.qq.com")
	}
	u, err := url.Parse(base)
	if err != nil || !wechatapi.IsWebURL(u) || strings.ContainsAny(base, "?#") {
		return service.BadSetting(setting, "expected http:// or https:// and a host, without user, query and fragment")
	}
	return nil
}
