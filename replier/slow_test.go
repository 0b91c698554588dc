package replier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/internal/store/storetest"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// patience is how long something may take; it fails a test, it never passes one.
const patience = 20 * time.Second

// mailbox is an AccountService that keeps what it is to send.
type mailbox struct {
	oauthv1.UnimplementedAccountServiceServer
	mu    sync.Mutex
	sent  []*oauthv1.SendCustomMessageRequest
	typed int
	fail  []error                  // of the next calls
	asked int                      // how often it was asked to send
	never error                    // of all calls to send, if not nil
	held  map[string]chan struct{} // until which calls to send wait, by account

	typing error   // of all calls to show the typing sign, if not nil; set it before the first
	check  []error // of the next questions; nil: what it knows
}

// errCutOff is a call that is made, and whose answer is lost.
var errCutOff = status.Error(codes.Unavailable, "cut off")

// listen serves the mailbox until the test ends, and returns its address.
func (m *mailbox) listen(t *testing.T) string {
	t.Helper()
	g, err := service.ListenGRPC(service.NewEnv(slog.New(slog.DiscardHandler)), "oauth-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	oauthv1.RegisterAccountServiceServer(g.Server, m)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g.Addr().String()
}

// SendCustomMessage implements oauth.v1.AccountService.
func (m *mailbox) SendCustomMessage(_ context.Context, req *oauthv1.SendCustomMessageRequest) (*oauthv1.SendCustomMessageResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if held := m.held[req.GetAccount()]; held != nil {
		m.mu.Unlock()
		<-held
		m.mu.Lock()
	}
	if m.never != nil {
		return nil, m.never
	}
	if len(m.fail) > 0 {
		err := m.fail[0]
		m.fail = m.fail[1:]
		if errors.Is(err, errCutOff) {
			m.sent = append(m.sent, req)
		}
		if err != nil {
			return nil, err
		}
	}
	m.sent = append(m.sent, req)
	return &oauthv1.SendCustomMessageResponse{}, nil
}

// CheckCustomMessage implements oauth.v1.AccountService.
func (m *mailbox) CheckCustomMessage(_ context.Context, req *oauthv1.CheckCustomMessageRequest) (*oauthv1.CheckCustomMessageResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.check) > 0 {
		err := m.check[0]
		m.check = m.check[1:]
		if err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(m.sent, func(r *oauthv1.SendCustomMessageRequest) bool { return r.GetAttemptId() == req.GetAttemptId() }) {
		return &oauthv1.CheckCustomMessageResponse{}, nil
	}
	return nil, sendError(codes.NotFound, "MESSAGE_UNKNOWN", "")
}

// SetTyping implements oauth.v1.AccountService.
func (m *mailbox) SetTyping(context.Context, *oauthv1.SetTypingRequest) (*oauthv1.SetTypingResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.typed++
	return &oauthv1.SetTypingResponse{}, m.typing
}

// refuse has all calls to send fail, until nil says otherwise.
func (m *mailbox) refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.never = err
}

// hold has the calls to send for an account wait until release.
func (m *mailbox) hold(account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = map[string]chan struct{}{account: make(chan struct{})}
}

func (m *mailbox) release(account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.held[account])
	m.held = nil
}

// calls returns how often it was asked to send.
func (m *mailbox) calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// texts returns what was sent.
func (m *mailbox) texts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, req := range m.sent {
		all = append(all, req.GetMessage().GetText())
	}
	return all
}

// slow is a replier with a backlog, whose bot answers "re: TEXT" once its gate for the text is open.
type slow struct {
	*running
	mailbox    *mailbox
	deliveries replierv1.DeliveryServiceClient
	backlog    *backlog.Backlog
	store      *store.Store

	mu    sync.Mutex
	gates map[string]chan struct{}
	calls map[string]int
}

// startSlow serves rules (yaml; "": all texts go to the bot) until the test ends. change may be nil.
func startSlow(t *testing.T, rules string, kept store.Config, change func(*Config)) *slow {
	t.Helper()
	s := &slow{mailbox: &mailbox{}, gates: map[string]chan struct{}{}, calls: map[string]int{}}
	if rules == "" {
		rules = "rules:\n  - {name: bot, forward: handler:bot}\n"
	}
	kept.Env = service.NewEnv(slog.New(slog.DiscardHandler))
	var err error
	if s.store, err = store.Open(kept); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.store.Close)
	cfg := Config{
		Rules: write(t, t.TempDir(), "rules.yaml", rules), Handlers: map[string]Handler{"bot": s.bot},
		Backlog: backlog.New(backlog.Config{Env: kept.Env, Store: s.store, Size: 1 << 20}), OAuth: service.Target{Addr: s.mailbox.listen(t)},
	}
	s.backlog = cfg.Backlog
	if change != nil {
		change(&cfg)
	}
	s.running = startConfig(t, cfg)
	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s.deliveries = replierv1.NewDeliveryServiceClient(conn)
	return s
}

func (s *slow) gate(text string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gates[text] == nil {
		s.gates[text] = make(chan struct{})
	}
	return s.gates[text]
}

func (s *slow) bot(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	text := msg.GetText().GetContent()
	gate := s.gate(text)
	s.mu.Lock()
	s.calls[text]++
	s.mu.Unlock()
	select {
	case <-gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if strings.HasPrefix(text, "fail") {
		return nil, fmt.Errorf("confide: %s", text)
	}
	switch text {
	case "person":
		return &wechatv1.Reply{Content: &wechatv1.Reply_TransferCustomerService{}}, nil
	case "broken":
		return says("\xff"), nil
	case "blank":
		return says(" \n\u3000"), nil
	}
	if long, ok := strings.CutPrefix(text, "long "); ok {
		return says(strings.Repeat(long, 1000)), nil
	}
	return says("re: " + text), nil
}

// called returns how often the bot was asked about a text.
func (s *slow) called(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[text]
}

// attempt asks as a gateway does for which WeChat waits a little.
func (s *slow) attempt(t *testing.T, msg *wechatv1.Message) *replierv1.ReplyResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	resp, err := s.Reply(ctx, &replierv1.ReplyRequest{Message: msg, Coordination: mayDefer})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (s *slow) expect(t *testing.T, msg *wechatv1.Message, want *replierv1.ReplyResponse) {
	t.Helper()
	if diff := cmp.Diff(want, s.attempt(t, msg), protocmp.Transform()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// state waits until a message is in a state, and returns it.
func (s *slow) state(t *testing.T, msg *wechatv1.Message, want backlog.State) *replierv1.Delivery {
	t.Helper()
	key, _ := msg.Key()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		resp, err := s.deliveries.GetDelivery(t.Context(), &replierv1.GetDeliveryRequest{Id: key.ID()})
		if err == nil && resp.GetDelivery().GetState() == want {
			return resp.GetDelivery()
		}
		if time.Now().After(end) {
			t.Fatalf("%v, %v; want %v", resp, err, want)
		}
	}
}

var (
	deferred = newResponse(stateDeferred, nil)
	mayDefer = &replierv1.Coordination{MayDefer: true} // what a gateway says
)

// TestPush: an answer that is not ready follows, once, whatever WeChat and others ask meanwhile and later.
func TestPush(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	msg := text("a")
	s.expect(t, msg, deferred)
	s.expect(t, msg, deferred) // WeChat did not hear it
	s.state(t, msg, backlog.Pending)
	close(s.gate("a"))
	d := s.state(t, msg, backlog.Sent)
	if d.GetParts() != 1 || d.GetPartsSent() != 1 || d.GetRetries() != 0 || d.GetOpenid() != openid || d.GetAccount() != "shop" {
		t.Errorf("delivery: %v", d)
	}
	s.expect(t, msg, deferred)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: a"}, got) || s.called("a") != 1 {
		t.Errorf("sent %q, the bot was asked %d times; want the answer once", got, s.called("a"))
	}
	if req := s.mailbox.sent[0]; req.GetAccount() != "shop" || req.GetOpenid() != openid {
		t.Errorf("to %v", req)
	}
	if s.mailbox.typed == 0 {
		t.Error("the user saw no sign of it")
	}
	if diff := cmp.Diff(map[string]float64{"deferred": 3}, s.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestInTimeTouchesNothing: a message that is answered in time is not stored.
func TestInTimeTouchesNothing(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	close(s.gate("a"))
	msg := text("a")
	s.expect(t, msg, &replierv1.ReplyResponse{Reply: says("re: a")})
	resp, err := s.deliveries.ListDeliveries(t.Context(), &replierv1.ListDeliveriesRequest{})
	if err != nil || len(resp.GetDeliveries()) != 0 {
		t.Errorf("stored: %v, %v", resp, err)
	}
}

// TestAskedForItself: who asks what would be answered gets that or an error; nobody is written to.
func TestAskedForItself(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	resp, err := s.Reply(ctx, &replierv1.ReplyRequest{Message: text("a")})
	if err == nil && resp.GetReply() != nil || resp.GetCoordination().GetState() == stateDeferred || resp.GetCoordination().GetState() == stateHold {
		t.Errorf("got %v, %v", resp, err)
	}
	close(s.gate("b"))
	if reply := s.ask(t, text("b")); reply.GetText().GetContent() != "re: b" {
		t.Errorf("got %v", reply)
	}
	if got := s.mailbox.texts(); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
}

// TestWays: what rules say becomes of slow answers.
func TestWays(t *testing.T) {
	const file = `
rules:
  - {name: push, match: {text: push}, forward: {to: "handler:bot", slow: {push: "I am thinking."}}}
  - {name: at once, match: {text: once}, forward: {to: "handler:bot", wait: 0s}}
  - {name: hold, match: {text: hold}, forward: {to: "handler:bot", slow: hold}}
  - {name: drop, match: {text: drop}, forward: {to: "handler:bot", slow: drop}}
  - {name: later, match: {text: later}, forward: {to: "handler:bot", slow: later}}
  - {name: soon, match: {text: soon}, forward: {to: "handler:bot", slow: {later: "Ask again."}, timeout: 100ms, fallback: {text: no}}}
`
	s := startSlow(t, file, store.Config{}, nil)
	for text_, want := range map[string]*replierv1.ReplyResponse{
		"push":  newResponse(stateDeferred, says("I am thinking.")),
		"once":  newResponse(stateDeferred, nil),
		"hold":  newResponse(stateHold, nil),
		"drop":  {},
		"later": newResponse(stateDeferred, says(accounts.LaterText)),
		"soon":  {Reply: says("no")},
	} {
		t.Run(text_, func(t *testing.T) {
			t.Parallel()
			msg := text(text_)
			msg.FromUserName = "oUser" + text_ // none waits for another
			s.expect(t, msg, want)
		})
	}
}

// TestWait: where a rule says so, WeChat does not wait as long as it would.
func TestWait(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 10ms}}\n", store.Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	resp, err := s.Reply(ctx, &replierv1.ReplyRequest{Message: text("a"), Coordination: mayDefer})
	if err != nil || resp.GetCoordination().GetState() != stateDeferred {
		t.Errorf("got %v, %v", resp, err)
	}
}

// TestLater: the user's next message gets the answer, or is told again while that is not ready.
func TestLater(t *testing.T) {
	s := startSlow(t, "", store.Config{}, func(c *Config) { c.Slow.How = accounts.Later; c.OAuth.Addr = "" })
	told := newResponse(stateDeferred, says(accounts.LaterText))
	msg := text("a")
	s.expect(t, msg, told)
	s.expect(t, msg, told)
	s.expect(t, text("well?"), &replierv1.ReplyResponse{Reply: says(accounts.LaterText)})
	close(s.gate("a"))
	s.state(t, msg, backlog.Kept)
	close(s.gate("b"))
	other := text("b")
	other.FromUserName = "oOther"
	s.expect(t, other, &replierv1.ReplyResponse{Reply: says("re: b")})
	next := text("well?")
	for range 2 { // WeChat repeats it
		s.expect(t, next, &replierv1.ReplyResponse{Reply: says("re: a")})
	}
	close(s.gate("c"))
	s.expect(t, text("c"), &replierv1.ReplyResponse{Reply: says("re: c")})
	if s.called("well?") != 0 || s.called("a") != 1 {
		t.Error("the bot was asked about a message that fetched an answer")
	}
	if got := s.outcomes(t)["fetched"]; got != 3 {
		t.Errorf("%v fetched, want 3", got)
	}
}

// TestFull: where no more can be stored the user is told so, in time.
func TestFull(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, nil)
	full := 0
	for i := range 20_000 {
		msg := text("x" + strings.Repeat("y", 4000))
		msg.FromUserName = fmt.Sprint("oUser", i)
		if resp := s.attempt(t, msg); resp.GetCoordination().GetState() == stateGivenUp {
			full++
			break
		}
	}
	if full == 0 {
		t.Error("it was never full")
	}
}

// TestFindingsMessagesThatNeverFit: a message that the store never takes is held, and the log says why; its bot is asked once.
func TestFindingsMessagesThatNeverFit(t *testing.T) {
	s := startSlow(t, atOnce, store.Config{}, nil)
	msg := text("a")
	msg.Extra = []*wechatv1.Element{{Name: "Large", Text: strings.Repeat("y", 800_000)}}
	s.expect(t, msg, newResponse(stateHold, nil))
	close(s.gate("a"))
	eventually(t, "the bot to answer", func() bool { return gauge(t, s.env, "wxgate_bot_calls") == 0 })
	s.expect(t, msg, &replierv1.ReplyResponse{Reply: says("re: a")})
	if n := s.called("a"); n != 1 || !strings.Contains(s.log.String(), "too large") {
		t.Errorf("the bot was asked %d times; log:\n%s", n, s.log)
	}
}

// TestFindingsLogSaysWhyNotStored: the line of a message that could not be stored in time has the reason of the store.
func TestFindingsLogSaysWhyNotStored(t *testing.T) {
	nats := storetest.StartServer(t)
	s := startSlow(t, atOnce, store.Config{URL: nats.URL()}, nil)
	s.expect(t, text("a"), deferred)
	nats.Stop()
	eventually(t, "the reason", func() bool {
		s.expect(t, text("b"), newResponse(stateUnstored, nil))
		return strings.Contains(s.log.String(), errNotInTime.Error()+": backlog: ")
	})
}

// TestUnsure: a replica that is cut off from the store goes on to answer, and says that it does not know what is stored.
func TestUnsure(t *testing.T) {
	nats := storetest.StartServer(t)
	s := startSlow(t, "rules:\n  - {name: fast, reply: {text: re}}\n", store.Config{URL: nats.URL()}, nil)
	number := int64(0)
	until := func(unsure bool) {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			number++
			msg := text("a")
			msg.MsgId += number
			resp := s.attempt(t, msg)
			if resp.GetReply().GetText().GetContent() != "re" {
				t.Fatalf("got %v", resp)
			}
			if (resp.GetCoordination().GetState() == stateUnsure) == unsure {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("unsure never becomes %t", unsure)
			}
		}
	}
	until(false)
	nats.Stop()
	until(true)
	nats.StartAgain()
	until(false)
}
