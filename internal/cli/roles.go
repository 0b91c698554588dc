package cli

import (
	"context"
	"errors"

	"wxgate/gateway"
	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/oauthsvc"
	"wxgate/replier"
)

type gatewayCmd struct {
	accountFlags
	accountsFlag
	publicFlags
	internalFlags
	slowFlags
	backlogFlags
	natsFlags
	debugFlags
	Replier string `name:"replier" env:"WXGATE_REPLIER" default:"dns:///127.0.0.1:9001" help:"gRPC target of a replier, or of any bot that implements ReplierService."`
	OAuth   string `name:"oauth" env:"WXGATE_OAUTH" default:"dns:///127.0.0.1:9002" help:"gRPC target of the oauth service."`
	service.LogFlags
	service.GuardFlags
}

// Run runs the gateway.
func (c *gatewayCmd) Run(ctx context.Context, wrong environment) error {
	if err := c.alone(c.accountFlags, ""); err != nil {
		return err
	}
	ctx, env, end := begin(ctx, c.LogFlags)
	defer end()
	env, err := c.WithGuard(env)
	if err != nil {
		return err
	}
	cfg := gatewayConfig(env, c.accountFlags, c.accountsFlag, c.publicFlags, c.internalFlags, c.slowFlags, true)
	cfg.Replier, cfg.OAuth, cfg.Debug = c.Replier, c.OAuth, c.Debug
	c.warnOfDebug(env)
	shared := storeFlags{natsFlags: c.natsFlags}
	if err := errors.Join(wrong.err, cfg.Validate(), shared.config(env).Validate()); err != nil {
		return err
	}
	servers := []service.Server{nil}
	if shared.given() {
		kept, err := shared.open(env)
		if err != nil {
			return err
		}
		defer kept.Close()
		cfg.Backlog = c.backlog(env.ForService("gateway"), kept)
		servers = append(servers, kept)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		return err
	}
	servers[0] = g
	return service.Run(ctx, env.Ready, servers...)
}

// gatewayConfig returns a gateway's configuration, without its neighbours. pushable tells whether an oauthsvc may have the
// single account's AppSecret.
func gatewayConfig(env service.Env, a accountFlags, many accountsFlag, p publicFlags, i internalFlags, s slowFlags, pushable bool) gateway.Config {
	var single []gateway.Account
	if many.Accounts == "" {
		single = []gateway.Account{{Name: accounts.DefaultName, AppID: a.AppID, Token: a.Token, AESKey: a.AESKey, Mode: a.mode(), Pushable: pushable}}
	}
	return gateway.Config{
		Env:            env.ForService("gateway"),
		Listen:         p.Listen,
		InternalListen: i.InternalListen,
		Accounts:       single,
		AccountsFile:   many.Accounts,
		ReplyTimeout:   p.ReplyTimeout,
		BusyText:       s.BusyText,
		Slow:           s.slow(),
		MaxText:        p.MaxText,
		MaxSkew:        p.MaxSkew,
		PublicURL:      p.PublicURL,
		ReturnHosts:    p.ReturnHosts,
		SessionKey:     p.SessionKey,
	}
}

type replierCmd struct {
	replierFlags
	slowFlags
	backlogFlags
	storeFlags
	OAuth string `name:"oauth" env:"WXGATE_OAUTH" placeholder:"TARGET" help:"gRPC target of the oauth service, which sends answers that were not ready in time."`
	accountsFlag
	internalFlags `set:"internal_listen=127.0.0.1:9101"`
	service.LogFlags
	service.GuardFlags
}

// Run runs the replier.
func (c *replierCmd) Run(ctx context.Context, wrong environment) error {
	ctx, env, end := begin(ctx, c.LogFlags)
	defer end()
	env, err := c.WithGuard(env)
	if err != nil {
		return err
	}
	cfg := replierConfig(env, c.replierFlags, c.accountsFlag, c.slowFlags)
	cfg.OAuth = c.OAuth
	if err := errors.Join(wrong.err, cfg.Validate(), c.config(env).Validate()); err != nil {
		return err
	}
	if c.given() {
		kept, err := c.open(env)
		if err != nil {
			return err
		}
		defer kept.Close()
		cfg.Backlog = c.backlog(env.ForService("replier"), kept)
	} else if c.OAuth != "" {
		env.Log.Warn("neither --data-dir nor --nats: answers that are not ready in time cannot follow")
	}
	r, err := replier.New(cfg)
	if err != nil {
		return err
	}
	return runWithInternal(ctx, env, c.InternalListen, r)
}

func replierConfig(env service.Env, f replierFlags, many accountsFlag, s slowFlags) replier.Config {
	return replier.Config{Env: env.ForService("replier"), Listen: f.ReplierListen, Rules: f.Rules, AccountsFile: many.Accounts,
		OnceMemory: f.OnceMemory.bytes(), BotMemory: f.BotMemory.bytes(), Slow: s.slow(), BusyText: s.BusyText}
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
func (c *oauthsvcCmd) Run(ctx context.Context, wrong environment) error {
	if err := c.alone(accountFlags{appFlags: c.appFlags}, c.AppSecret); err != nil {
		return err
	}
	ctx, env, end := begin(ctx, c.LogFlags)
	defer end()
	env, err := c.WithGuard(env)
	if err != nil {
		return err
	}
	cfg := oauthConfig(env, c.AppID, c.AppSecret, c.accountsFlag, c.oauthFlags, c.upstreamFlags)
	if err := errors.Join(wrong.err, cfg.Validate(), c.config(env).Validate()); err != nil {
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
		Env: env.ForService("oauthsvc"), Listen: f.OAuthListen,
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
	slowFlags
	backlogFlags
	oauthFlags
	service.LogFlags
	service.GuardFlags
}

type serveCmd struct {
	accountFlags
	appSecretFlags
	accountsFlag
	upstreamFlags
	debugFlags
	system
}

// Run runs gateway, replier and oauthsvc.
func (c *serveCmd) Run(ctx context.Context, wrong environment) error {
	if err := c.alone(c.accountFlags, c.AppSecret); err != nil {
		return err
	}
	ctx, env, end := begin(ctx, c.LogFlags)
	defer end()
	env, err := c.WithGuard(env)
	if err != nil {
		return err
	}
	debug := func(cfg *gateway.Config, _ *replier.Config) { cfg.Debug = c.Debug }
	running, err := c.open(env, wrong, c.accountFlags, c.AppSecret, c.accountsFlag, c.upstreamFlags, debug)
	if err != nil {
		return err
	}
	c.warnOfDebug(env)
	if running.store != nil {
		c.warn(env)
	}
	return service.Run(ctx, env.Ready, running.servers()...)
}

// opened are the services of one process; oauth is nil without an AppSecret, and so is store where it has no place.
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
		all = append(all, o.oauth)
	}
	if o.store != nil {
		all = append(all, o.store)
	}
	return all
}

// open checks the whole configuration and opens the services. Without an AppSecret there is no OAuth, and without a place
// for it nothing is stored then. change changes the configuration of gateway and replier.
func (s *system) open(env service.Env, wrong environment, a accountFlags, secret service.Secret, many accountsFlag, u upstreamFlags, change func(*gateway.Config, *replier.Config)) (o opened, err error) {
	withOAuth := secret != "" || many.hasSecret()
	toReplier := replierConfig(env, s.replierFlags, many, s.slowFlags)
	toOAuth := oauthConfig(env, a.AppID, secret, many, s.oauthFlags, u)
	toGateway := gatewayConfig(env, a, many, s.publicFlags, s.internalFlags, s.slowFlags, withOAuth)
	change(&toGateway, &toReplier)
	errs := []error{wrong.err, toGateway.Validate(), toReplier.Validate(), s.config(env).Validate()}
	if withOAuth {
		errs = append(errs, toOAuth.Validate(), checkSessionKey(s.publicFlags, s.NATS))
	}
	if err := errors.Join(errs...); err != nil {
		return o, err
	}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if withOAuth || s.given() {
		if o.store, err = s.storeFlags.open(env); err != nil {
			return o, err
		}
		toReplier.Backlog = s.backlog(env.ForService("replier"), o.store)
		toGateway.Backlog = toReplier.Backlog
	}
	if !withOAuth {
		env.Log.Warn("no AppSecret: there is no OAuth, and answers that are not ready in time cannot be sent")
	} else {
		if s.DataDir != "" {
			if toGateway.SessionKey, err = keptSessionKey(s.SessionKey, s.DataDir); err != nil {
				return o, err
			}
		}
		toOAuth.Store = o.store
		if o.oauth, err = oauthsvc.New(toOAuth); err != nil {
			return o, err
		}
		toGateway.OAuthHere, toReplier.OAuthHere = o.oauth.GRPC(), o.oauth.GRPC()
	}
	if o.replier, err = replier.New(toReplier); err != nil {
		return o, err
	}
	toGateway.ReplierHere = o.replier.GRPC()
	o.gateway, err = gateway.New(toGateway)
	return o, err
}

// close gives back what is open; for services that never served.
func (o opened) close() {
	if o.replier != nil {
		o.replier.Close()
	}
	if o.oauth != nil {
		o.oauth.Close()
	}
	if o.store != nil {
		o.store.Close()
	}
}
