package cli

import (
	"context"
	"errors"

	"wxgate/internal/service"
	"wxgate/oauthsvc"
)

type oauthsvcCmd struct {
	appIDFlags
	appSecretFlags
	accountsFlag
	oauthFlags
	storeFlags
	upstreamFlags
	internalFlags `set:"internal_listen=127.0.0.1:9102"`
	serverFlags
}

// Run runs the oauth service.
func (c *oauthsvcCmd) Run(ctx context.Context, environment badEnvironment) error {
	if err := c.checkSingle(accountFlags{appIDFlags: c.appIDFlags}, c.AppSecret); err != nil {
		return err
	}
	return c.serve(ctx, func(ctx context.Context, env service.Env) error {
		cfg, err := c.config(env).Complete()
		if err := errors.Join(environment.err, err, c.storeConfig(env).Validate()); err != nil {
			return err
		}
		kept, err := c.openStore(env)
		if err != nil {
			return err
		}
		defer kept.Close()
		c.warnOfLoss(env)
		cfg.Store = kept
		o, err := oauthsvc.New(cfg)
		if err != nil {
			return err
		}
		return runWithInternal(ctx, env, c.InternalListen, o)
	})
}

func (c *oauthsvcCmd) config(env service.Env) oauthsvc.Config {
	cfg := c.oauthConfig(env, c.upstreamFlags)
	cfg.Accounts = c.oauthSource(c.AppID, c.AppSecret, nil)
	return cfg
}
