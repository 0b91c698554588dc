package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"wxgate/gateway"
	"wxgate/internal/fakewechat"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/oauthsvc"
	"wxgate/replier"
)

// accountName is the account's name where no file names several.
const accountName = "default"

type gatewayCmd struct {
	accountFlags
	accountsFlag
	publicFlags
	internalFlags
	Replier string `name:"replier" env:"WXGATE_REPLIER" default:"dns:///127.0.0.1:9001" help:"gRPC target of a replier, or of any bot that implements ReplierService."`
	OAuth   string `name:"oauth" env:"WXGATE_OAUTH" default:"dns:///127.0.0.1:9002" help:"gRPC target of the oauth service."`
	service.LogFlags
	service.GuardFlags
}

// Run runs the gateway.
func (c *gatewayCmd) Run(ctx context.Context) error {
	if err := c.alone(c.accountFlags, ""); err != nil {
		return err
	}
	env, err := c.Guarded(service.NewEnv(c.Logger(os.Stderr)))
	if err != nil {
		return err
	}
	g, err := gateway.New(gatewayConfig(env, c.accountFlags, c.accountsFlag, c.publicFlags, c.internalFlags, c.Replier, c.OAuth))
	if err != nil {
		return err
	}
	return service.Run(ctx, env.Ready, g)
}

func gatewayConfig(env service.Env, a accountFlags, many accountsFlag, p publicFlags, i internalFlags, replier, oauth string) gateway.Config {
	var single []gateway.Account
	if many.Accounts == "" {
		single = []gateway.Account{{Name: accountName, AppID: a.AppID, Token: a.Token, AESKey: a.AESKey, Mode: a.mode()}}
	}
	return gateway.Config{
		Env:            env.For("gateway"),
		Listen:         p.Listen,
		InternalListen: i.InternalListen,
		Accounts:       single,
		AccountsFile:   many.Accounts,
		Replier:        replier,
		OAuth:          oauth,
		ReplyTimeout:   p.ReplyTimeout,
		MaxText:        p.MaxText,
		MaxSkew:        p.MaxSkew,
		PublicURL:      p.PublicURL,
		ReturnHosts:    p.ReturnHosts,
		SessionKey:     p.SessionKey,
	}
}

type replierCmd struct {
	replierFlags
	accountsFlag
	internalFlags `set:"internal_listen=127.0.0.1:9101"`
	service.LogFlags
	service.GuardFlags
}

// Run runs the replier.
func (c *replierCmd) Run(ctx context.Context) error {
	env, err := c.Guarded(service.NewEnv(c.Logger(os.Stderr)))
	if err != nil {
		return err
	}
	r, err := replier.New(replierConfig(env, c.replierFlags, c.accountsFlag))
	if err != nil {
		return err
	}
	return runWithInternal(ctx, env, c.InternalListen, r)
}

func replierConfig(env service.Env, f replierFlags, many accountsFlag) replier.Config {
	return replier.Config{Env: env.For("replier"), Listen: f.ReplierListen, Rules: f.Rules, AccountsFile: many.Accounts, OnceMemory: f.OnceMemory << 20}
}

type oauthsvcCmd struct {
	appFlags
	appSecretFlags
	accountsFlag
	oauthFlags
	upstreamFlags
	internalFlags `set:"internal_listen=127.0.0.1:9102"`
	service.LogFlags
	service.GuardFlags
}

// Run runs the oauth service.
func (c *oauthsvcCmd) Run(ctx context.Context) error {
	if err := c.alone(accountFlags{appFlags: c.appFlags}, c.AppSecret); err != nil {
		return err
	}
	env, err := c.Guarded(service.NewEnv(c.Logger(os.Stderr)))
	if err != nil {
		return err
	}
	cfg := oauthConfig(env, c.AppID, c.AppSecret, c.accountsFlag, c.oauthFlags, c.upstreamFlags)
	if err := errors.Join(cfg.Validate(), c.config(env).Validate()); err != nil {
		return err
	}
	kept, err := c.open(env)
	if err != nil {
		return err
	}
	defer kept.Close()
	c.warn(env)
	cfg.Store = kept
	o, err := oauthsvc.New(cfg)
	if err != nil {
		return err
	}
	return runWithInternal(ctx, env, c.InternalListen, o)
}

func oauthConfig(env service.Env, appID string, secret service.Secret, many accountsFlag, f oauthFlags, u upstreamFlags) oauthsvc.Config {
	return oauthsvc.Config{
		Env: env.For("oauthsvc"), Listen: f.OAuthListen,
		AppID: appID, AppSecret: secret, AccountsFile: many.Accounts, APIURL: u.APIURL, OpenURL: u.OpenURL,
	}
}

// server is a service of ours.
type server interface {
	service.Server
	Close()
}

// runWithInternal runs a service that has no internal address of its own.
func runWithInternal(ctx context.Context, env service.Env, addr string, s server) error {
	internal, err := service.ListenInternal(env, "internal-listen", addr, nil)
	if err != nil {
		s.Close()
		return err
	}
	return service.Run(ctx, env.Ready, s, internal)
}

// system is what serve and dev have in common.
type system struct {
	publicFlags
	internalFlags
	replierFlags
	oauthFlags
	service.LogFlags
	service.GuardFlags
}

type serveCmd struct {
	accountFlags
	appSecretFlags
	accountsFlag
	upstreamFlags
	system
}

// Run runs gateway, replier and oauthsvc.
func (c *serveCmd) Run(ctx context.Context) error {
	if err := c.alone(c.accountFlags, c.AppSecret); err != nil {
		return err
	}
	env, err := c.Guarded(service.NewEnv(c.Logger(os.Stderr)))
	if err != nil {
		return err
	}
	running, err := c.open(env, c.accountFlags, c.AppSecret, c.accountsFlag, c.upstreamFlags)
	if err != nil {
		return err
	}
	if running.store != nil {
		c.warn(env)
	}
	return service.Run(ctx, env.Ready, running.servers()...)
}

// opened are the services of one process; oauth and its store are nil without an AppSecret.
type opened struct {
	gateway *gateway.Server
	replier *replier.Server
	oauth   *oauthsvc.Server
	store   *store.Store
}

// servers returns them in the order of stopping: who calls stops before who is called.
func (o opened) servers() []service.Server {
	all := []service.Server{o.gateway, o.replier}
	if o.oauth != nil {
		all = append(all, o.oauth, o.store)
	}
	return all
}

// open checks the whole configuration and opens the services. Without an AppSecret there is no OAuth.
func (s *system) open(env service.Env, a accountFlags, secret service.Secret, many accountsFlag, u upstreamFlags) (o opened, err error) {
	toReplier := replierConfig(env, s.replierFlags, many)
	toOAuth := oauthConfig(env, a.AppID, secret, many, s.oauthFlags, u)
	toGateway := gatewayConfig(env, a, many, s.publicFlags, s.internalFlags, "", "")
	errs := []error{toGateway.Validate(), toReplier.Validate()}
	withOAuth := secret != "" || many.hasSecret()
	if withOAuth {
		errs = append(errs, toOAuth.Validate(), s.config(env).Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return o, err
	}
	defer func() {
		if err != nil && o.replier != nil {
			o.replier.Close()
		}
		if err != nil && o.oauth != nil {
			o.oauth.Close()
		}
		if err != nil && o.store != nil {
			o.store.Close()
		}
	}()
	if o.replier, err = replier.New(toReplier); err != nil {
		return o, err
	}
	toGateway.Replier = target(o.replier.Addr())
	if !withOAuth {
		env.Log.Warn("no AppSecret: there is no OAuth")
	} else {
		if o.store, err = s.storeFlags.open(env); err != nil {
			return o, err
		}
		toOAuth.Store = o.store
		if o.oauth, err = oauthsvc.New(toOAuth); err != nil {
			return o, err
		}
		toGateway.OAuth = target(o.oauth.Addr())
	}
	o.gateway, err = gateway.New(toGateway)
	return o, err
}

// target returns the gRPC target of an address in this process.
func target(addr net.Addr) string { return "passthrough:///" + addr.String() }

type devCmd struct {
	fakeFlags
	accountFlags
	appSecretFlags
	system
}

// Run runs everything against a fake WeChat.
func (c *devCmd) Run(ctx context.Context) error {
	env, err := c.Guarded(service.NewEnv(c.Logger(os.Stderr)))
	if err != nil {
		return err
	}
	account := fakeAccount(c.accountFlags, c.AppSecret)
	flags := accountFlags{appFlags{account.AppID}, service.Secret(account.Token), service.Secret(account.AESKey), string(account.Mode)}
	if c.SessionKey == "" {
		c.SessionKey = devSessionKey
	}
	lis, err := service.Listen("fake-listen", c.FakeListen)
	if err != nil {
		return err
	}
	fakeURL := browserURL(lis.Addr())
	running, err := c.open(env, flags, service.Secret(account.AppSecret), accountsFlag{}, upstreamFlags{APIURL: fakeURL, OpenURL: fakeURL})
	if err != nil {
		_ = lis.Close()
		return err
	}
	gatewayURL := browserURL(running.gateway.Addr())
	platform := fakewechat.New(fakewechat.Config{Account: account, Gateway: gatewayURL + "/", Log: env.Log})
	fake := service.NewHTTP(env, "fake-listen", lis, platform)
	printURLs(os.Stdout, account, running, gatewayURL, fakeURL)
	return service.Run(ctx, env.Ready, append(running.servers(), fake)...)
}

func printURLs(w io.Writer, account fakewechat.Account, o opened, gatewayURL, fakeURL string) {
	internalURL := browserURL(o.gateway.InternalAddr())
	fmt.Fprintf(w, `wxgate dev: everything runs in this process, against a fake WeChat. Ctrl-C stops it.

  callback     %[1]s/
               AppID %[2]s, token %[3]s, mode %[4]s
               EncodingAESKey %[5]s
  login        %[1]s/oauth/login
  fake WeChat  %[6]s/
  REST         %[7]s/v1/reply, described by %[7]s/openapi.json
  gRPC         %[8]s (replier), %[9]s (oauthsvc)

In another terminal:

  go run . send text "hello"
  go run . send event subscribe

`, gatewayURL, account.AppID, account.Token, account.Mode, account.AESKey, fakeURL, internalURL, o.replier.Addr(), o.oauth.Addr())
}

type fakewechatCmd struct {
	fakeFlags
	accountFlags
	appSecretFlags
	Gateway string `name:"gateway" env:"WXGATE_GATEWAY" default:"http://127.0.0.1:8000/" help:"Callback URL to which the page sends messages."`
	service.LogFlags
}

// Run runs the fake platform.
func (c *fakewechatCmd) Run(ctx context.Context) error {
	env := service.NewEnv(c.Logger(os.Stderr))
	account := fakeAccount(c.accountFlags, c.AppSecret)
	mux := service.InternalMux(env)
	mux.Handle("/", fakewechat.New(fakewechat.Config{Account: account, Gateway: c.Gateway, Log: env.Log}))
	fake, err := service.ListenHTTP(env, "fake-listen", c.FakeListen, mux)
	if err != nil {
		return err
	}
	fmt.Printf("wxgate fakewechat: %s/ (not for production)\n", browserURL(fake.Addr()))
	return service.Run(ctx, env.Ready, fake)
}

// fakeAccount returns the account of the fake platform: that of the flags, or where no token is given one made up.
func fakeAccount(f accountFlags, secret service.Secret) fakewechat.Account {
	if f.Token == "" {
		return fakewechat.Account{
			AppID:      "wx0123456789abcdef",
			AppSecret:  "0123456789abcdef0123456789abcdef",
			Token:      "wxgatedev",
			AESKey:     "wxgateDevelopmentKeyOfTheFakeWeChat01234567",
			OriginalID: originalID,
			Mode:       fakewechat.Mode(gateway.Compat),
		}
	}
	return fakewechat.Account{
		AppID: f.AppID, AppSecret: secret.Reveal(), Token: f.Token.Reveal(), AESKey: f.AESKey.Reveal(),
		OriginalID: originalID, Mode: fakewechat.Mode(f.mode()),
	}
}

// devSessionKey keeps a browser logged in over restarts of dev.
const devSessionKey = "wxgate dev: a key that everybody knows"

// originalID is the account's original id in the fake platform's messages.
const originalID = "gh_0123456789ab"

// browserURL returns the URL of an address for somebody on this machine.
func browserURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
