package main

import (
	"context"
	"errors"
	"net"
	"os"

	"wxgate/gateway"
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
