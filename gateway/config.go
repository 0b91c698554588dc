package gateway

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"wxgate/gateway/login"
	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/wechat"
)

// Config is what a gateway needs. Complete checks it.
type Config struct {
	Env            service.Env
	Listen         string           // public address: callbacks and /oauth/
	InternalListen string           // internal address: REST, /metrics, /livez, /readyz
	Accounts       accounts.Source  // the main account is on "/", and used if a request names none; HasSecret: answers can be pushed
	Replier        service.Target   // a ReplierService
	OAuth          service.Target   // an OAuthService; not set: no /oauth/ routes
	ReplyTimeout   time.Duration    // WeChat hangs up after 5 s
	MaxText        int              // of a text reply, in bytes; longer ones are cut; 0: any
	MaxSkew        time.Duration    // how far a callback's timestamp may be from our clock; 0: any
	PublicURL      string           // scheme and host that browsers use; "": the request's Host
	ReturnHosts    []string         // hosts besides our own that a login may return to
	Slow           accounts.Slow    // for an answer that is not ready while WeChat waits, if the account has no Slow of its own
	Backlog        *backlog.Backlog // stores messages while no replier can be reached; nil: they are not stored
	BusyText       string           // users read it if no answer will come; "": nothing
	SessionKey     service.Secret   // of logins; several, separated by commas: the first makes sessions, all are accepted; "": a new one
	Debug          bool             // the internal address shows the last callbacks, with what users write
}

// Completed is a Config that Complete found right. Backlog, Replier, OAuth and SessionKey may still be set: they come from
// the store and from other services, which are opened after all configurations of the process were checked.
type Completed struct {
	Config
	accounts func() *roster            // of this moment
	watched  *configfile.Live[*roster] // nil without an accounts file
}

// Complete checks the configuration and reads the accounts file. The error has everything that is wrong in both.
func (c Config) Complete() (*Completed, error) {
	completed := &Completed{Config: c}
	if err := errors.Join(completed.openAccounts(), c.checkLimits(), c.checkLogin()); err != nil {
		return nil, err
	}
	return completed, nil
}

// openAccounts makes the accounts ready.
func (c *Completed) openAccounts() error {
	if c.Accounts.File == "" {
		if err := checkAccounts(c.Accounts.List); err != nil {
			return err
		}
		fixed, err := newRoster(c.Accounts.List, nil, time.Now())
		c.accounts = func() *roster { return fixed }
		return err
	}
	if len(c.Accounts.List) > 0 {
		return errors.New("a list and a file of accounts are given; expected one")
	}
	var err error
	c.watched, err = configfile.Open("gateway accounts", c.Accounts.Cache, func(load *configfile.Load, before *roster) *roster {
		return loadRoster(load, c.Accounts.File, before, time.Now())
	})
	if err != nil {
		return err
	}
	c.accounts = c.watched.Value
	return nil
}

func checkAccounts(list []accounts.Account) error {
	if len(list) == 0 {
		return errors.New("no account")
	}
	var errs []error
	for i, a := range list {
		errs = append(errs, checkAccount(a))
		if slices.ContainsFunc(list[:i], func(b accounts.Account) bool { return a.Name == b.Name }) {
			errs = append(errs, fmt.Errorf("account name %q is given twice", a.Name))
		}
	}
	return errors.Join(errs...)
}

// checkAccount returns everything that is wrong with an account that no file describes.
func checkAccount(a accounts.Account) error {
	var errs []error
	if err := accounts.CheckName(a.Name); err != nil {
		errs = append(errs, fmt.Errorf("account name %w", err))
	}
	if a.Token == "" {
		errs = append(errs, service.BadSetting("token", "missing; expected the token that the console has for the callback URL"))
	} else if err := accounts.CheckSecret(a.Token.Reveal()); err != nil {
		errs = append(errs, service.BadSetting("token", "%w", err))
	}
	if a.AppID != "" {
		if err := accounts.CheckAppID(a.AppID); err != nil {
			errs = append(errs, service.BadSetting("app id", "%w", err))
		}
	}
	if err := a.Mode.Validate(); err != nil {
		return errors.Join(append(errs, service.BadSetting("mode", "%w", err))...)
	}
	if a.Mode == accounts.Plain {
		return errors.Join(errs...)
	}
	if a.AppID == "" {
		errs = append(errs, service.BadSetting("app id", "missing; mode %s checks it", a.Mode))
	}
	if a.AESKey == "" {
		errs = append(errs, service.BadSetting("aes key", "missing; mode %s opens envelopes with it", a.Mode))
	} else if err := checkAESKey(a.AESKey.Reveal()); err != nil {
		errs = append(errs, service.BadSetting("aes key", "%w", err))
	}
	return errors.Join(errs...)
}

func checkAESKey(key string) error {
	if err := accounts.CheckSecret(key); err != nil {
		return err
	}
	_, err := wechat.ParseAESKey(key)
	return err
}

// maxReplyTimeout is when WeChat hangs up (platform page "消息推送": 5 seconds).
const maxReplyTimeout = 5 * time.Second

// checkLimits checks times and sizes of callbacks.
func (c Config) checkLimits() error {
	var errs []error
	if c.ReplyTimeout <= margin || c.ReplyTimeout >= maxReplyTimeout {
		errs = append(errs, service.BadSetting("reply timeout",
			"%s; expected more than %s, which are kept for what follows the replier's answer, and less than %s, when WeChat hangs up",
			c.ReplyTimeout, margin, maxReplyTimeout))
	}
	if c.MaxText < 0 {
		errs = append(errs, service.BadSetting("max text", "%d; expected 0 (any) or more", c.MaxText))
	}
	if err := c.Slow.Validate(); err != nil {
		errs = append(errs, service.BadSetting("slow", "%w", err))
	}
	if c.MaxSkew < 0 {
		errs = append(errs, service.BadSetting("max skew", "%s; expected 0 (any) or more", c.MaxSkew))
	}
	return errors.Join(errs...)
}

// checkLogin checks the settings of the login.
func (c Config) checkLogin() error {
	var errs []error
	if c.PublicURL != "" && !isOrigin(c.PublicURL) {
		errs = append(errs, service.BadSetting("public url", "%q; expected scheme and host in lower case, such as https://wx.example.com", c.PublicURL))
	}
	for _, host := range c.ReturnHosts {
		if !isHost(host) {
			errs = append(errs, service.BadSetting("return hosts", "%q; expected a whole host in lower case, such as www.example.com", host))
		}
	}
	_, err := login.ParseSessionKeys(c.SessionKey)
	return errors.Join(append(errs, err)...)
}

// hostPattern is a host as browsers write it: a name in lower case, or an address, and a port.
var hostPattern = regexp.MustCompile(`^([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

func isHost(text string) bool { return hostPattern.MatchString(text) }

// isOrigin reports whether text is a web origin as browsers write it; slashes at its end do not matter.
func isOrigin(text string) bool {
	scheme, host, _ := strings.Cut(strings.TrimRight(text, "/"), "://")
	return (scheme == "http" || scheme == "https") && isHost(host)
}
