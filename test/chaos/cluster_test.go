package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// cluster is a whole wxgate as it runs on many machines: real processes, each service several times.
//
//	load ─▶ gateway ×2 ─▶ proxy ─▶ replier ×3 ─▶ slow bot
//	                                  │ proxy ─▶ oauthsvc ×2 ─▶ a host that hangs, then fake WeChat
//	                                  └ proxy ─▶ NATS ×3
type cluster struct {
	gateways []gatewayNode
	repliers []replierNode
	oauths   []*daemon
	nats     []*daemon
	bot      *slowBot
}

type gatewayNode struct {
	*daemon
	sender *sender.Sender
}

// replierNode is a replier and its network: everything that it says and hears, but for its bot.
type replierNode struct {
	*daemon
	wire *wire
}

const (
	replierName = "replier.test."
	oauthName   = "oauth.test."
)

var (
	replierHosts = []string{"127.0.1.1", "127.0.1.2", "127.0.1.3"} // the proxies before them
	oauthHosts   = []string{"127.0.2.1", "127.0.2.2"}
)

// chaosRules are the repliers' rules; %s is the bot's address.
const chaosRules = `rules:
  - name: fast
    match: {text: {prefix: "fast "}}
    reply: {text: "re: {{ message.text.content }}"}
  - name: slow
    match: {text: {prefix: "slow "}}
    forward: {to: "passthrough:///%s"}
`

// startCluster starts all processes, which log into dir; onSent gets the customer-service messages.
func startCluster(ctx context.Context, t *testing.T, dir string, onSent func(fakewechat.CustomMessage)) *cluster {
	t.Helper()
	account := testproc.SenderTo("", "safe").Account
	platform := fakewechat.New(fakewechat.Config{Account: account, OnSent: onSent})
	wechat := httptest.NewServer(platform)
	t.Cleanup(wechat.Close)
	c := &cluster{}
	bot, botAddr := startSlowBot(t)
	c.bot = bot
	rules := testproc.File(t, "rules.yaml", fmt.Sprintf(chaosRules, botAddr))

	free := newPorts()
	proxyPort, oauthPort := free.take(t, replierHosts...), free.take(t, oauthHosts...)
	names := testproc.StartNameserver(t, map[string][]netip.Addr{replierName: addresses(replierHosts), oauthName: addresses(oauthHosts)})
	internal := func(d *daemon) {
		addr := "127.0.0.1:" + free.take(t, "127.0.0.1")
		d.url, d.env = "http://"+addr, append(d.env, "WXGATE_INTERNAL_LISTEN="+addr)
	}

	nodes, daemons := newNATSCluster(t, dir, free, 3)
	c.nats = daemons
	var natsURLs []string
	for _, n := range nodes {
		natsURLs = append(natsURLs, "nats://"+n.addr())
	}
	for i, host := range oauthHosts {
		d := newDaemon(t, dir, fmt.Sprint("oauthsvc-", i+1), append([]string{
			"WXGATE_OAUTH_LISTEN=" + host + ":" + oauthPort, "WECHAT_API_URL=" + hangingHost(t) + "," + wechat.URL, "WECHAT_OPEN_URL=" + wechat.URL,
			"WXGATE_NATS=" + strings.Join(natsURLs, ","),
		}, testproc.AccountEnv...), testproc.Binary, "oauthsvc")
		internal(d)
		c.oauths = append(c.oauths, d)
	}
	for i, host := range replierHosts {
		w := newWire(t)
		listen := "127.0.0.1:" + free.take(t, "127.0.0.1")
		w.proxy(t, host+":"+proxyPort, listen)
		var viaProxy []string
		for _, n := range nodes {
			viaProxy = append(viaProxy, "nats://"+w.proxy(t, "127.0.0.1:0", n.addr()))
		}
		oauth := w.proxy(t, "127.0.0.1:0", oauthHosts[i%len(oauthHosts)]+":"+oauthPort)
		d := newDaemon(t, dir, fmt.Sprint("replier-", i+1), []string{
			"WXGATE_REPLIER_LISTEN=" + listen, "WXGATE_RULES=" + rules,
			"WXGATE_NATS=" + strings.Join(viaProxy, ","), "WXGATE_OAUTH=passthrough:///" + oauth,
		}, testproc.Binary, "replier")
		internal(d)
		c.repliers = append(c.repliers, replierNode{d, w})
	}
	for i := range 2 {
		listen := "127.0.0.1:" + free.take(t, "127.0.0.1")
		d := newDaemon(t, dir, fmt.Sprint("gateway-", i+1), append([]string{
			"WXGATE_LISTEN=" + listen, "WECHAT_MODE=safe", "WXGATE_SESSION_KEY=" + strings.Repeat("chaos", 8),
			"WXGATE_REPLIER=" + names.Target("replier.test", proxyPort), "WXGATE_OAUTH=" + names.Target("oauth.test", oauthPort),
			"WXGATE_NATS=" + strings.Join(natsURLs, ","),
		}, testproc.AccountEnv...), testproc.Binary, "gateway")
		internal(d)
		s := testproc.SenderTo(listen, "safe")
		s.BeforeSend = platform.RecordCallback
		c.gateways = append(c.gateways, gatewayNode{d, s})
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, d := range c.all() {
				t.Logf("the end of %s's log:\n%s", d.name, d.tail(t, 8))
			}
		}
	})
	if err := c.start(ctx, nodes); err != nil {
		t.Fatal(err)
	}
	return c
}

// hangingHost returns the URL of a host to which connections are made, and which never says a word: each oauthsvc has to find out that
// its first host is of no use, without a message becoming uncertain.
func hangingHost(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	return "https://" + lis.Addr().String()
}

func addresses(hosts []string) []netip.Addr {
	var addrs []netip.Addr
	for _, host := range hosts {
		addrs = append(addrs, netip.MustParseAddr(host))
	}
	return addrs
}

// start starts who is needed before who needs it.
func (c *cluster) start(ctx context.Context, nodes []natsNode) error {
	if err := startAll(ctx, c.nats); err != nil {
		return err
	}
	if err := formed(ctx, nodes); err != nil {
		return err
	}
	// One by one: of two clients that create one stream in one moment, NATS leaves one without an answer.
	for _, d := range append(append(slices.Clone(c.oauths), c.replierDaemons()...), c.gatewayDaemons()...) {
		if err := d.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func startAll(ctx context.Context, daemons []*daemon) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range daemons {
		g.Go(func() error { return d.start(ctx) })
	}
	return g.Wait()
}

func (c *cluster) replierDaemons() (all []*daemon) {
	for _, r := range c.repliers {
		all = append(all, r.daemon)
	}
	return all
}

func (c *cluster) gatewayDaemons() (all []*daemon) {
	for _, g := range c.gateways {
		all = append(all, g.daemon)
	}
	return all
}

// services are wxgate's processes.
func (c *cluster) services() []*daemon {
	return append(append(c.gatewayDaemons(), c.replierDaemons()...), c.oauths...)
}

// all are all processes.
func (c *cluster) all() []*daemon { return append(c.services(), c.nats...) }
