package cli

import (
	"context"
	"errors"

	"wxgate/gateway"
	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/oauthsvc"
	"wxgate/replier"
)

// serve prepares a process that serves, and runs it until ctx ends.
func (f serverFlags) serve(ctx context.Context, run func(context.Context, service.Env) error) error {
	ctx, env, end := beginProcess(ctx, f.LogFlags)
	defer end()
	env, err := f.WithGuard(env)
	if err != nil {
		return err
	}
	return run(ctx, env)
}

// closableServer is a service that may be closed before it serves.
type closableServer interface {
	service.Server
	Close()
}

// runWithInternal runs a service that has no internal address of its own.
func runWithInternal(ctx context.Context, env service.Env, addr string, s closableServer) error {
	internal, err := service.ListenInternal(env, "internal-listen", addr, nil)
	if err != nil {
		s.Close()
		return err
	}
	return service.Run(ctx, env.Ready, s, internal)
}

// systemFlags are those of serve and dev, which run all services in one process.
type systemFlags struct {
	publicFlags
	internalFlags
	replierFlags
	slowFlags
	backlogFlags
	oauthFlags
	storeFlags
	serverFlags
}

// systemAccounts says which accounts a process serves.
type systemAccounts struct {
	accountFlags
	appSecretFlags
	accountsFlag
}

// systemConfig has the configurations of all services of a process.
type systemConfig struct {
	gateway   gateway.Config
	replier   replier.Config
	oauth     oauthsvc.Config
	withOAuth bool // an account has an AppSecret; else oauth is not used
}

// systemConfig returns the configurations that the flags make. All services read the accounts file through one cache.
func (f *systemFlags) systemConfig(env service.Env, a systemAccounts, upstream upstreamFlags) systemConfig {
	cache := &configfile.Cache{}
	cfg := systemConfig{
		gateway:   f.gatewayConfig(env),
		replier:   f.replierConfig(env),
		oauth:     f.oauthConfig(env, upstream),
		withOAuth: a.AppSecret != "" || a.hasSecret(cache),
	}
	cfg.gateway.InternalListen = f.InternalListen
	cfg.gateway.Accounts = a.gatewaySource(a.accountFlags, cfg.withOAuth, cache)
	cfg.gateway.Slow, cfg.gateway.BusyText = f.slowPolicy(), f.BusyText
	cfg.replier.Accounts = accounts.Source{File: a.Accounts, Cache: cache}
	cfg.replier.Slow, cfg.replier.BusyText = f.slowPolicy(), f.BusyText
	cfg.oauth.Accounts = a.oauthSource(a.AppID, a.AppSecret, cache)
	return cfg
}

// completedSystem has the configurations of all services of a process, checked.
type completedSystem struct {
	gateway *gateway.Completed
	replier *replier.Completed
	oauth   *oauthsvc.Completed // nil: no account has an AppSecret
}

// complete checks all configurations. The error has everything that is wrong.
func (cfg systemConfig) complete() (done completedSystem, err error) {
	var errs [3]error
	done.gateway, errs[0] = cfg.gateway.Complete()
	done.replier, errs[1] = cfg.replier.Complete()
	if cfg.withOAuth {
		done.oauth, errs[2] = cfg.oauth.Complete()
	}
	return done, errors.Join(errs[:]...)
}

// openSystem checks the whole configuration and opens the services, those that are called before those that call them.
func (f *systemFlags) openSystem(env service.Env, cfg systemConfig, environment badEnvironment) (_ *openServices, err error) {
	done, err := cfg.complete()
	errs := []error{environment.err, err, f.storeConfig(env).Validate()}
	if cfg.withOAuth {
		errs = append(errs, checkSessionKey(f.publicFlags, f.NATS))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o := &openServices{}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if err := f.addStore(env, o, done); err != nil {
		return nil, err
	}
	if err := f.addOAuth(env, o, done); err != nil {
		return nil, err
	}
	if o.replier, err = replier.New(done.replier); err != nil {
		return nil, err
	}
	done.gateway.Replier.Local = o.replier.GRPC()
	if o.gateway, err = gateway.New(done.gateway); err != nil {
		return nil, err
	}
	return o, nil
}

// addStore opens the store if a service needs it: for OAuth, or for messages if it survives the process.
func (f *systemFlags) addStore(env service.Env, o *openServices, done completedSystem) (err error) {
	if done.oauth == nil && !f.isDurable() {
		return nil
	}
	if o.store, err = f.openStore(env); err != nil {
		return err
	}
	done.replier.Backlog = f.newBacklog(env.ForService("replier"), o.store)
	done.gateway.Backlog = done.replier.Backlog
	return nil
}

// addOAuth opens the oauthsvc if an account has an AppSecret.
func (f *systemFlags) addOAuth(env service.Env, o *openServices, done completedSystem) (err error) {
	if done.oauth == nil {
		env.Log.Warn("no AppSecret is set: there is no login, and late answers cannot be pushed")
		return nil
	}
	if f.DataDir != "" {
		if done.gateway.SessionKey, err = keptSessionKey(f.SessionKey, f.DataDir); err != nil {
			return err
		}
	}
	done.oauth.Store = o.store
	if o.oauth, err = oauthsvc.New(done.oauth); err != nil {
		return err
	}
	done.gateway.OAuth.Local, done.replier.OAuth.Local = o.oauth.GRPC(), o.oauth.GRPC()
	return nil
}

// openServices are the services of one process. oauth is nil without an AppSecret, and store if no service needs it.
type openServices struct {
	gateway *gateway.Server
	replier *replier.Server
	oauth   *oauthsvc.Server
	store   *store.Store
}

// stopOrder returns the services in the order in which they stop: each before those that it calls.
func (o *openServices) stopOrder() []service.Server {
	order := []service.Server{o.gateway, o.replier}
	if o.oauth != nil {
		order = append(order, o.oauth)
	}
	if o.store != nil {
		order = append(order, o.store)
	}
	return order
}

// close releases what is open, if the services never served.
func (o *openServices) close() {
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
