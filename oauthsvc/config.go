package oauthsvc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"wxgate/internal/service"
)

// DefaultAccount is the name of the only account; an empty name means it too.
const DefaultAccount = "default"

// Config is what an OAuth service needs.
type Config struct {
	Env       service.Env
	Listen    string // gRPC address
	AppID     string
	AppSecret service.Secret
	APIURL    string // where WeChat's API is, https://api.weixin.qq.com
	OpenURL   string // where WeChat's authorize page is, https://open.weixin.qq.com
}

var appID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("--oauth-listen (WXGATE_OAUTH_LISTEN): %q; expected host and port, such as 127.0.0.1:9002", c.Listen))
	}
	switch {
	case c.AppID == "":
		errs = append(errs, errors.New("--app-id (WECHAT_APP_ID) is missing: the AppID of the account's console"))
	case !appID.MatchString(c.AppID):
		errs = append(errs, errors.New("--app-id (WECHAT_APP_ID): expected letters and digits, such as wx0123456789abcdef"))
	}
	switch secret := c.AppSecret.Reveal(); {
	case secret == "":
		errs = append(errs, errors.New("--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE) is missing: the AppSecret of the account's console"))
	case strings.ContainsFunc(secret, notVisible):
		errs = append(errs, errors.New("--app-secret (WECHAT_APP_SECRET or WECHAT_APP_SECRET_FILE): holds a space or another character that no AppSecret has"))
	}
	return errors.Join(append(errs, checkBase("--api-url (WECHAT_API_URL)", c.APIURL), checkBase("--open-url (WECHAT_OPEN_URL)", c.OpenURL))...)
}

func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// checkBase reports a URL to which no path can be appended. It does not show the URL: a wrong one may hold a password.
func checkBase(setting, base string) error {
	if base == "" {
		return fmt.Errorf("%s is missing: a URL such as https://api.weixin.qq.com", setting)
	}
	u, err := url.Parse(base)
	if err != nil || !isWeb(u) || strings.ContainsAny(base, "?#") {
		return fmt.Errorf("%s: expected http:// or https:// and a host, without user, query and fragment", setting)
	}
	return nil
}

// isWeb tells whether u is an absolute http or https URL without a user.
func isWeb(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
