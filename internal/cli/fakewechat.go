package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/internal/service"
)

type fakeFlags struct {
	FakeListen string `name:"fake-listen" env:"WXGATE_FAKE_LISTEN" default:"127.0.0.1:8010" help:"The fake platform's address, HOST:PORT."`
	Faults     string `name:"faults" env:"WXGATE_FAULTS" placeholder:"NAME=VALUE,…" help:"Faults of the fake platform, such as lose=0.1,delay=2s,seed=7; docs/FAKE.md lists all. By default none."`
}

type fakewechatCmd struct {
	fakeFlags
	accountFlags
	appSecretFlags
	Gateway         string `name:"gateway" env:"WXGATE_GATEWAY" default:"http://127.0.0.1:8000/" help:"Callback URL of the gateway: the page sends messages to it."`
	GatewayInternal string `name:"gateway-internal" env:"WXGATE_GATEWAY_INTERNAL" placeholder:"URL" help:"Internal URL of a gateway with --debug, such as http://127.0.0.1:8001: the page shows its trace of each callback. By default no traces."`
	service.LogFlags
}

// Run runs the fake platform.
func (c *fakewechatCmd) Run(ctx context.Context, environment badEnvironment) error {
	flags := serverFlags{LogFlags: c.LogFlags}
	return flags.serve(ctx, func(ctx context.Context, env service.Env) error {
		account := fakeAccount(c.accountFlags, c.AppSecret)
		faults, err := c.parseFaults()
		if err := errors.Join(environment.err, err, checkFakeAccount(account), checkURL("gateway", c.Gateway), checkURL("gateway internal", c.GatewayInternal)); err != nil {
			return err
		}
		mux := service.InternalMux(env)
		platform := fakewechat.New(fakewechat.Config{Account: account, Gateway: c.Gateway, GatewayInternal: c.GatewayInternal, Log: env.Log, Faults: faults})
		mux.Handle("/", platform)
		fake, err := service.ListenHTTP(env, "fake-listen", c.FakeListen, mux)
		if err != nil {
			return err
		}
		fake.OnShutdown(platform.Close)
		fmt.Printf("wxgate fakewechat: %s/ (not for production)\n", browserURL(fake.Addr()))
		return service.Run(ctx, env.Ready, fake)
	})
}

// checkURL reports a value that is neither empty nor an http or https URL.
func checkURL(setting, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return service.BadSetting(setting, "%q is not a URL; expected one such as http://127.0.0.1:8000/", value)
	}
	return nil
}

// checkFakeAccount reports an account with which nothing can be sealed.
func checkFakeAccount(a sender.Account) error {
	if _, err := a.Validate(); err != nil {
		return fmt.Errorf("--mode, --aes-key, --app-id: %w", err) // these three together
	}
	return nil
}

// parseFaults returns the faults of the fake platform.
func (f fakeFlags) parseFaults() (fakewechat.Faults, error) {
	faults, err := fakewechat.ParseFaults(f.Faults)
	if err != nil {
		return faults, service.BadSetting("faults", "%w", err)
	}
	return faults, nil
}

// fakeAccount returns the account of the fake platform: that of the flags, or a made-up one if no token is given.
func fakeAccount(f accountFlags, secret service.Secret) sender.Account {
	if f.Token == "" {
		account := sender.DevAccount()
		if f.Mode != "" {
			account.Mode = sender.Mode(f.Mode)
		}
		return account
	}
	return sender.Account{
		AppID: f.AppID, AppSecret: secret.Reveal(), Token: f.Token.Reveal(), AESKey: f.AESKey.Reveal(),
		OriginalID: sender.DevAccount().OriginalID, Mode: sender.Mode(f.effectiveMode()),
	}
}
