package cli

import (
	"context"
	"errors"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/replier"
)

type replierCmd struct {
	replierFlags
	slowFlags
	backlogFlags
	storeFlags
	OAuth string `name:"oauth" env:"WXGATE_OAUTH" placeholder:"TARGET" help:"gRPC target of the oauth service, which sends answers that were not ready in time. By default none: such answers cannot be pushed."`
	accountsFlag
	internalFlags `set:"internal_listen=127.0.0.1:9101"`
	serverFlags
}

// Run runs the replier.
func (c *replierCmd) Run(ctx context.Context, environment badEnvironment) error {
	return c.serve(ctx, func(ctx context.Context, env service.Env) error {
		cfg, err := c.config(env).Complete()
		if err := errors.Join(environment.err, err, c.storeConfig(env).Validate()); err != nil {
			return err
		}
		if c.isDurable() {
			kept, err := c.openStore(env)
			if err != nil {
				return err
			}
			defer kept.Close()
			cfg.Backlog = c.newBacklog(env.ForService("replier"), kept)
		} else if c.OAuth != "" {
			env.Log.Warn("neither --data-dir nor --nats is set: late answers cannot be delivered")
		}
		r, err := replier.New(cfg)
		if err != nil {
			return err
		}
		return runWithInternal(ctx, env, c.InternalListen, r)
	})
}

func (c *replierCmd) config(env service.Env) replier.Config {
	cfg := c.replierConfig(env)
	cfg.Accounts = accounts.Source{File: c.Accounts}
	cfg.OAuth.Addr = c.OAuth
	cfg.Slow, cfg.BusyText = c.slowPolicy(), c.BusyText
	return cfg
}
