package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/gateway"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier"
)

type devCmd struct {
	fakeFlags
	accountFlags
	appSecretFlags
	system
}

// Run runs everything against a fake WeChat.
func (c *devCmd) Run(ctx context.Context, wrong environment) error {
	ctx, env, end := begin(ctx, c.LogFlags)
	defer end()
	env, err := c.WithGuard(env)
	if err != nil {
		return err
	}
	faults, err := c.faults()
	if err != nil {
		return err
	}
	account := fakeAccount(c.accountFlags, c.AppSecret)
	flags := accountFlags{appFlags{account.AppID}, service.Secret(account.Token), service.Secret(account.AESKey), string(account.Mode)}
	if c.SessionKey == "" && c.DataDir == "" {
		c.SessionKey = devSessionKey
	}
	lis, err := service.Listen("fake-listen", c.FakeListen)
	if err != nil {
		return err
	}
	fakeURL := browserURL(lis.Addr())
	running, err := c.open(env, wrong, flags, service.Secret(account.AppSecret), accountsFlag{}, upstreamFlags{APIURL: fakeURL, OpenURL: fakeURL}, demo)
	if err != nil {
		_ = lis.Close()
		return err
	}
	gatewayURL := browserURL(running.gateway.Addr())
	cfg := fakewechat.Config{Account: account, Gateway: gatewayURL + "/", Log: env.Log, Faults: faults}
	if c.TLSCert == "" { // else nobody gets in without a certificate
		cfg.GatewayInternal = browserURL(running.gateway.InternalAddr())
		key, _, _ := strings.Cut(c.InternalKey.Reveal(), ",")
		cfg.InternalKey = strings.TrimSpace(key)
	}
	if c.DataDir != "" {
		cfg.ChatFile = filepath.Join(c.DataDir, "fakewechat.json")
	}
	platform := fakewechat.New(cfg)
	fake := service.NewHTTP(env, "fake-listen", lis, platform)
	fake.OnShutdown(platform.Close)
	printURLs(os.Stdout, account, running, gatewayURL, fakeURL)
	return service.Run(ctx, env.Ready, append(running.servers(), fake)...)
}

// demo turns debugging on, has the built-in rules begin with a slow one, and gives it its bot.
func demo(toGateway *gateway.Config, cfg *replier.Config) {
	toGateway.Debug = true
	cfg.Demo = cfg.Rules == ""
	cfg.Handlers = map[string]replier.Handler{"slow": answerSlowly}
}

// answerSlowly answers the text "slow 12" after 12 seconds.
func answerSlowly(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	var seconds int
	if _, err := fmt.Sscanf(msg.GetText().GetContent(), "slow %d", &seconds); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Duration(seconds) * time.Second):
	}
	text := fmt.Sprintf("That took %d s.", seconds)
	return wechatv1.TextReplyOf(text), nil
}

func printURLs(w io.Writer, account sender.Account, o opened, gatewayURL, fakeURL string) {
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
  go run . send text "slow 12"

`, gatewayURL, account.AppID, account.Token, account.Mode, account.AESKey, fakeURL, internalURL, o.replier.Addr(), o.oauth.Addr())
}

type fakewechatCmd struct {
	fakeFlags
	accountFlags
	appSecretFlags
	Gateway         string `name:"gateway" env:"WXGATE_GATEWAY" default:"http://127.0.0.1:8000/" help:"Callback URL to which the page sends messages."`
	GatewayInternal string `name:"gateway-internal" env:"WXGATE_GATEWAY_INTERNAL" placeholder:"URL" help:"Internal address of a gateway with --debug, such as http://127.0.0.1:8001: the page shows what it tells of each callback."`
	service.LogFlags
}

// Run runs the fake platform.
func (c *fakewechatCmd) Run(ctx context.Context, wrong environment) error {
	ctx, env, end := begin(ctx, c.LogFlags)
	defer end()
	account := fakeAccount(c.accountFlags, c.AppSecret)
	faults, err := c.faults()
	if err := errors.Join(wrong.err, err, checkAccount(account), checkURL("gateway", c.Gateway), checkURL("gateway-internal", c.GatewayInternal)); err != nil {
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
}

// checkURL returns an error that names the flag if its value is neither empty nor an http or https URL.
func checkURL(flag, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--%s: %q is not a URL; expected one such as http://127.0.0.1:8000/", flag, value)
	}
	return nil
}

// checkAccount returns what is wrong with an account of flags: without a good key nothing can be sealed.
func checkAccount(a sender.Account) error {
	if _, err := a.Validate(); err != nil {
		return fmt.Errorf("--mode, --aes-key, --app-id: %w", err)
	}
	return nil
}

// faults returns how the fake platform misbehaves.
func (f fakeFlags) faults() (fakewechat.Faults, error) {
	faults, err := fakewechat.ParseFaults(f.Faults)
	if err == nil {
		return faults, nil
	}
	var errs []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		errs = append(errs, errors.New("--faults: "+line))
	}
	return faults, errors.Join(errs...)
}

// fakeAccount returns the account of the fake platform: that of the flags, or where no token is given one made up.
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
		OriginalID: sender.DevAccount().OriginalID, Mode: sender.Mode(f.mode()),
	}
}

// devSessionKey keeps a browser logged in over restarts of dev.
const devSessionKey = "wxgate dev: a key that everybody knows"

// browserURL returns the URL of an address for somebody on this machine.
func browserURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
