package cli

import (
	"context"
	"errors"

	"wxgate/gateway"
	"wxgate/internal/service"
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
	OAuth   string `name:"oauth" env:"WXGATE_OAUTH" default:"dns:///127.0.0.1:9002" help:"gRPC target of the oauth service; the login needs it."`
	serverFlags
}

// Run runs the gateway.
func (c *gatewayCmd) Run(ctx context.Context, environment badEnvironment) error {
	if err := c.checkSingle(c.accountFlags, ""); err != nil {
		return err
	}
	return c.serve(ctx, func(ctx context.Context, env service.Env) error {
		shared := storeFlags{natsFlags: c.natsFlags}
		cfg, err := c.config(env).Complete()
		if err := errors.Join(environment.err, err, shared.storeConfig(env).Validate()); err != nil {
			return err
		}
		c.warnOfDebug(env)
		var stopOrder []service.Server
		if shared.isDurable() {
			kept, err := shared.openStore(env)
			if err != nil {
				return err
			}
			defer kept.Close()
			cfg.Backlog = c.newBacklog(env.ForService("gateway"), kept)
			stopOrder = append(stopOrder, kept)
		}
		g, err := gateway.New(cfg)
		if err != nil {
			return err
		}
		stopOrder = append([]service.Server{g}, stopOrder...)
		return service.Run(ctx, env.Ready, stopOrder...)
	})
}

func (c *gatewayCmd) config(env service.Env) gateway.Config {
	cfg := c.gatewayConfig(env)
	cfg.InternalListen = c.InternalListen
	cfg.Accounts = c.gatewaySource(c.accountFlags, true, nil)
	cfg.Replier.Addr, cfg.OAuth.Addr = c.Replier, c.OAuth
	cfg.Slow, cfg.BusyText = c.slowPolicy(), c.BusyText
	cfg.Debug = c.Debug
	return cfg
}
