package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier"
)

type devCmd struct {
	fakeFlags
	accountFlags
	appSecretFlags
	systemFlags
}

// Run runs everything against a fake WeChat.
func (c *devCmd) Run(ctx context.Context, environment badEnvironment) error {
	return c.serve(ctx, func(ctx context.Context, env service.Env) error {
		faults, err := c.parseFaults()
		if err != nil {
			return err
		}
		lis, err := service.Listen("fake-listen", c.FakeListen)
		if err != nil {
			return err
		}
		account, fakeURL := fakeAccount(c.accountFlags, c.AppSecret), browserURL(lis.Addr())
		running, err := c.openSystem(env, c.config(env, account, fakeURL), environment)
		if err != nil {
			_ = lis.Close()
			return err
		}
		fakeConfig := fakewechat.Config{Account: account, Gateway: browserURL(running.gateway.Addr()) + "/", Log: env.Log, Faults: faults}
		if c.TLSCert == "" { // else the internal address demands a certificate, which the fake does not have
			fakeConfig.GatewayInternal = browserURL(running.gateway.InternalAddr())
			key, _, _ := strings.Cut(c.InternalKey.Reveal(), ",")
			fakeConfig.InternalKey = strings.TrimSpace(key)
		}
		if c.DataDir != "" {
			fakeConfig.ChatFile = filepath.Join(c.DataDir, "fakewechat.json")
		}
		platform := fakewechat.New(fakeConfig)
		fake := service.NewHTTP(env, "fake-listen", lis, platform)
		fake.OnShutdown(platform.Close)
		printURLs(os.Stdout, account, running, fakeURL)
		return service.Run(ctx, env.Ready, append(running.stopOrder(), fake)...)
	})
}

// config returns the configuration of the services: with the account of the fake WeChat, debugging on, and the demo rules if
// no others are set.
func (c *devCmd) config(env service.Env, account sender.Account, fakeURL string) systemConfig {
	if c.SessionKey == "" && c.DataDir == "" {
		c.SessionKey = devSessionKey
	}
	single := systemAccounts{
		accountFlags:   accountFlags{appIDFlags{account.AppID}, service.Secret(account.Token), service.Secret(account.AESKey), string(account.Mode)},
		appSecretFlags: appSecretFlags{service.Secret(account.AppSecret)},
	}
	cfg := c.systemConfig(env, single, upstreamFlags{APIURL: fakeURL, OpenURL: fakeURL})
	cfg.gateway.Debug = true
	cfg.replier.Demo = c.Rules == ""
	cfg.replier.Handlers = map[string]replier.Handler{"slow": answerSlowly}
	return cfg
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

func printURLs(w io.Writer, account sender.Account, o *openServices, fakeURL string) {
	gatewayURL, internalURL := browserURL(o.gateway.Addr()), browserURL(o.gateway.InternalAddr())
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

// devSessionKey keeps browsers logged in when dev is restarted.
const devSessionKey = "wxgate dev: a key that everybody knows"

// browserURL returns the URL at which a browser on this machine reaches an address.
func browserURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
