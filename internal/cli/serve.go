package cli

import (
	"context"

	"wxgate/internal/service"
)

type serveCmd struct {
	accountFlags
	appSecretFlags
	accountsFlag
	upstreamFlags
	debugFlags
	systemFlags
}

// Run runs gateway, replier and oauthsvc.
func (c *serveCmd) Run(ctx context.Context, environment badEnvironment) error {
	if err := c.checkSingle(c.accountFlags, c.AppSecret); err != nil {
		return err
	}
	return c.serve(ctx, func(ctx context.Context, env service.Env) error {
		cfg := c.systemConfig(env, systemAccounts{c.accountFlags, c.appSecretFlags, c.accountsFlag}, c.upstreamFlags)
		cfg.gateway.Debug = c.Debug
		running, err := c.openSystem(env, cfg, environment)
		if err != nil {
			return err
		}
		c.warnOfDebug(env)
		if running.store != nil {
			c.warnOfLoss(env)
		}
		return service.Run(ctx, env.Ready, running.stopOrder()...)
	})
}
