package gateway

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"wxgate/gateway/login"
	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/wechat"
)

// Config configures a gateway. Complete checks it.
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
	ReturnHosts    []string         // other hosts that a login may return to
	Slow           accounts.Slow    // for an answer that is not ready while WeChat waits, if the account has no Slow of its own
	Backlog        *backlog.Backlog // stores messages while no replier can be reached; nil: they are not stored
	BusyText       string           // users read it if no answer will come; "": nothing
	SessionKey     service.Secret   // see login.Config
	Debug          bool             // the internal address shows the last callbacks, with the users' messages
}

// Completed is a Config that Complete has checked. Backlog, Replier, OAuth and SessionKey may still be set: they come from
// the store and from other services, which are opened after all configurations of the process were checked.
type Completed struct {
	Config
	currentAccounts func() *accountSet
	watchedFile     *configfile.Live[*accountSet] // nil without an accounts file
}

// Complete checks the configuration and reads the accounts file. The error has everything that is wrong in both.
func (c Config) Complete() (*Completed, error) {
	completed := &Completed{Config: c}
	if err := errors.Join(completed.openAccounts(), c.checkLimits(), c.loginConfig().Check()); err != nil {
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
		fixed, err := newAccountSet(c.Accounts.List, nil, time.Now())
		c.currentAccounts = func() *accountSet { return fixed }
		return err
	}
	if len(c.Accounts.List) > 0 {
		return errors.New("a list and a file of accounts are given; expected one")
	}
	var err error
	c.watchedFile, err = configfile.Open("gateway accounts", c.Accounts.Cache, func(load *configfile.Load, before *accountSet) *accountSet {
		return loadAccounts(load, c.Accounts.File, before, time.Now())
	})
	if err != nil {
		return err
	}
	c.currentAccounts = c.watchedFile.Value
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
			"%s; expected more than %s, which is kept for the work after the replier's answer, and less than %s, when WeChat hangs up",
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

// loginConfig returns the settings of the login.
func (c Config) loginConfig() login.Config {
	return login.Config{Log: c.Env.Log, AccountsChange: c.Accounts.File != "", PublicURL: c.PublicURL, ReturnHosts: c.ReturnHosts, SessionKey: c.SessionKey}
}
