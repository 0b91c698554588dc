package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store/storetest"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

func TestMain(m *testing.M) { storetest.VerifyTestMain(m) }

// The account of vectors.json, and what else must never show up in a log.
const (
	testToken      = "GatewayToken01"
	testKey        = "jXkQ2vT7mB9rZc4LwPy8uHn5sDg1aFe6oVi0KtRqYxE"
	testAppID      = "wx0000000000000001"
	testUser       = "oGateway0000000000000000001"
	testAccount    = "gh_0a1b2c3d4e5f"
	testText       = "confide: 世界 & <b> 😀"
	testNonce      = "n0nceOfTheTest"
	testSessionKey = "sessionkeysessionkeysessionkey0123"
	testCode       = "codecodecode021"
	testAccess     = "57_sampleWebAccessToken"
)

// unloggable holds what no log line may hold, whatever a test does.
var unloggable = []string{testToken, testKey, testUser, "confide", testNonce, testSessionKey, testCode, testAccess, "signature=", "echostr=", "state="}

// fixture is a gateway over real connections, with a bot that the test plays. Its accounts are named as their modes;
// plain is the one on "/".
type fixture struct {
	server           *Server
	env              service.Env
	bot              *bot
	client           *http.Client
	public, internal string // base URLs
	log              *buffer
	stop             func() // ends the gateway and waits for it
}

// start runs a gateway, configured by change; nil: as it is.
func start(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{log: &buffer{}, bot: &bot{}}
	f.env = service.NewEnv(slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	cfg := testConfig(f.env)
	cfg.Replier.Addr = f.bot.listen(t, "127.0.0.1:0")
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.server, err = newServer(cfg); err != nil {
		t.Fatal(err)
	}
	f.public, f.internal = "http://"+f.server.Addr().String(), "http://"+f.server.InternalAddr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx, f.env.Ready, f.server) }()
	transport := &http.Transport{DisableCompression: true}
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	f.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		f.stop()
		for _, secret := range unloggable {
			if strings.Contains(f.log.String(), secret) {
				t.Errorf("the log holds %q:\n%s", secret, f.log.String())
			}
		}
	})
	return f
}

// newServer completes the configuration, and opens a gateway with it.
func newServer(cfg Config) (*Server, error) {
	completed, err := cfg.Complete()
	if err != nil {
		return nil, err
	}
	return New(completed)
}

// testConfig returns a good configuration without neighbours.
func testConfig(env service.Env) Config {
	cfg := Config{Env: env, Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", Replier: service.Target{Addr: "127.0.0.1:1"},
		ReplyTimeout: 4500 * time.Millisecond, MaxSkew: 5 * time.Minute, SessionKey: testSessionKey}
	for _, mode := range []accounts.Mode{accounts.Plain, accounts.Compat, accounts.Safe} {
		cfg.Accounts.List = append(cfg.Accounts.List, accounts.Account{Name: string(mode), AppID: testAppID, Token: testToken, AESKey: testKey, Mode: mode})
	}
	return cfg
}

// answer is what a caller got.
type answer struct {
	Status  int
	Header  http.Header
	Body    string
	Cookies map[string]*http.Cookie
}

// do sends a request; edit may change it.
func (f *fixture) do(t testing.TB, method, url string, body io.Reader, edit ...func(*http.Request)) answer {
	t.Helper()
	got, err := f.try(t.Context(), method, url, body, edit...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// try is do for other goroutines than the test's.
func (f *fixture) try(ctx context.Context, method, url string, body io.Reader, edit ...func(*http.Request)) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return answer{}, err
	}
	for _, e := range edit {
		e(r)
	}
	resp, err := f.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	got := answer{resp.StatusCode, resp.Header, string(data), map[string]*http.Cookie{}}
	for _, c := range resp.Cookies() {
		got.Cookies[c.Name] = c
	}
	return got, err
}

// lines ends the gateway and returns its log's lines with that message.
func (f *fixture) lines(t testing.TB, msg string) []map[string]any {
	t.Helper()
	f.stop()
	var found []map[string]any
	for line := range strings.Lines(f.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("a log line is not JSON: %v\n%s", err, line)
		}
		if fields["msg"] == msg {
			found = append(found, fields)
		}
	}
	return found
}

// outcomes returns wxgate_callbacks_total by outcome.
func (f *fixture) outcomes(t testing.TB) map[string]int { return f.counts(t, "wxgate_callbacks_total") }

// counts returns a counter that has one label, by the label's value.
func (f *fixture) counts(t testing.TB, name string) map[string]int {
	t.Helper()
	families, err := f.env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				counts[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
			}
		}
	}
	return counts
}

// bot is a ReplierService that the test plays. It says nothing until it is told what.
type bot struct {
	replierv1.UnimplementedReplierServiceServer
	mu   sync.Mutex
	says func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error)
	got  []*wechatv1.Message
	ids  []string
	left []time.Duration // until the deadline
}

// listen serves the bot and returns its address.
func (b *bot) listen(t testing.TB, addr string) string {
	t.Helper()
	g, err := service.ListenGRPC(service.NewEnv(slog.New(slog.DiscardHandler)), "listen", addr)
	if err != nil {
		t.Fatal(err)
	}
	replierv1.RegisterReplierServiceServer(g.Server, b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the bot's Serve: %v", err)
		}
	})
	return g.Addr().String()
}

func (b *bot) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	b.mu.Lock()
	b.got = append(b.got, req.GetMessage())
	b.ids = append(b.ids, strings.Join(metadata.ValueFromIncomingContext(ctx, "x-request-id"), ","))
	if deadline, ok := ctx.Deadline(); ok {
		b.left = append(b.left, time.Until(deadline))
	}
	says := b.says
	b.mu.Unlock()
	if says == nil {
		return &replierv1.ReplyResponse{}, nil
	}
	reply, err := says(ctx, req.GetMessage())
	return &replierv1.ReplyResponse{Reply: reply}, err
}

// will sets what the bot says.
func (b *bot) will(says func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says = says
}

// say sets the bot's one reply.
func (b *bot) say(reply *wechatv1.Reply) {
	b.will(func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return reply, nil })
}

// heard returns the messages that the bot was asked about.
func (b *bot) heard() []*wechatv1.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// called returns the request ids of the calls, and the time that each had.
func (b *bot) called() (ids []string, left []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ids), slices.Clone(b.left)
}

// text returns a text as a reply.
func text(content string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: content}}}
}

// textXML returns a text message's body.
func textXML(content string) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>1767225600</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content>"+
		"<MsgId>24817263549081736</MsgId></xml>", testAccount, testUser, content)
}

// buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// complete returns what is wrong with a configuration.
func complete(cfg Config) error {
	_, err := cfg.Complete()
	return err
}
