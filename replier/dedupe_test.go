package replier

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// startCounting serves a bot that answers with the number of its calls, once gate is closed.
func startCounting(t *testing.T, gate <-chan struct{}) (*running, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	return startConfig(t, Config{
		Rules: write(t, t.TempDir(), "rules.yaml", "rules:\n  - {name: bot, forward: {to: handler:bot, timeout: 12s}}\n"),
		Handlers: map[string]Handler{"bot": func(ctx context.Context, _ *wechatv1.Message) (*wechatv1.Reply, error) {
			n := calls.Add(1)
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return says(fmt.Sprintf("call %d", n)), nil
		}},
	}), &calls
}

func closed() <-chan struct{} {
	gate := make(chan struct{})
	close(gate)
	return gate
}

// TestRetryGetsTheAnswer: the handler runs once, and each of WeChat's attempts gets what it said.
func TestRetryGetsTheAnswer(t *testing.T) {
	r, calls := startCounting(t, closed())
	for _, msg := range []*wechatv1.Message{text("a"), event("CLICK", "k")} {
		want := says(fmt.Sprintf("call %d", calls.Load()+1))
		for range 3 {
			if diff := cmp.Diff(want, r.ask(t, proto.CloneOf(msg)), protocmp.Transform()); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		}
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls, want 2", calls.Load())
	}
	if diff := cmp.Diff(map[string]float64{"reply": 6}, r.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestOtherMessagesAreApart: what differs in one part of its key is another message, and one that WeChat cannot have
// sent is always answered anew.
func TestOtherMessagesAreApart(t *testing.T) {
	r, calls := startCounting(t, closed())
	change := func(msg *wechatv1.Message, f func(*wechatv1.Message)) *wechatv1.Message {
		msg = proto.CloneOf(msg)
		f(msg)
		return msg
	}
	hello, click := text("hello"), event("CLICK", "k")
	bare := text("hello")
	bare.MsgId, bare.CreateTime = 0, 0
	all := []*wechatv1.Message{
		hello,
		change(hello, func(m *wechatv1.Message) { m.Account = "other" }),
		change(hello, func(m *wechatv1.Message) { m.ToUserName = "gh_other" }),
		change(hello, func(m *wechatv1.Message) { m.FromUserName = "oAnother" }),
		change(hello, func(m *wechatv1.Message) { m.MsgId++ }),
		click,
		change(click, func(m *wechatv1.Message) { m.CreateTime++ }),
		change(click, func(m *wechatv1.Message) { m.GetEvent().Event = "SCAN" }),
		change(click, func(m *wechatv1.Message) { m.GetEvent().EventKey = "l" }),
		bare, bare,
	}
	for i, msg := range all {
		want := says(fmt.Sprintf("call %d", i+1))
		if diff := cmp.Diff(want, r.ask(t, msg), protocmp.Transform()); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", i, diff)
		}
	}
	if int(calls.Load()) != len(all) {
		t.Errorf("%d calls, want %d", calls.Load(), len(all))
	}
}

// TestRetryJoins: an attempt that comes while the message is worked on gets the answer of the first.
func TestRetryJoins(t *testing.T) {
	gate := make(chan struct{})
	r, calls := startCounting(t, gate)
	msg := text("a")
	replies := make(chan *wechatv1.Reply)
	for range 3 {
		go func() {
			resp, err := r.Reply(t.Context(), &replierv1.ReplyRequest{Message: msg})
			if err != nil {
				t.Error(err)
			}
			replies <- resp.GetReply()
		}()
	}
	close(gate)
	for range 3 {
		if diff := cmp.Diff(says("call 1"), <-replies, protocmp.Transform()); diff != "" {
			t.Errorf("reply (-want +got):\n%s", diff)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("%d calls, want 1", calls.Load())
	}
}

// TestHold: while the answer is not ready, WeChat is to send the message again; after its last attempt it is given up, and
// nobody works on it any more.
func TestHold(t *testing.T) {
	r, calls := startCounting(t, nil)
	msg := text("a")
	attempt := func() *replierv1.ReplyResponse {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		resp, err := r.Reply(ctx, &replierv1.ReplyRequest{Message: msg, Coordination: mayDefer})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	for i, want := range []*replierv1.ReplyResponse{newResponse(stateHold, nil), newResponse(stateHold, nil), newResponse(stateGivenUp, nil), newResponse(stateGivenUp, nil)} {
		if diff := cmp.Diff(want, attempt(), protocmp.Transform()); diff != "" {
			t.Errorf("attempt %d (-want +got):\n%s", i+1, diff)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("%d calls, want 1", calls.Load())
	}
	eventually(t, "the call to end", func() bool { return gauge(t, r.env, "wxgate_bot_calls") == 0 && r.outcomes(t)["rule_failed"] == 1 })
	if diff := cmp.Diff(map[string]float64{"hold": 2, "given_up": 2, "rule_failed": 1}, r.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// decide joins the run of a message and waits for its end.
func (o *dedupe) decide(ctx context.Context, msg *wechatv1.Message, decide decideFunc) (decision, error) {
	r, _ := o.joinJob(ctx, msg, decide, func(*job) {})
	if !r.awaitEnd(ctx, nil) {
		return decision{}, ctx.Err()
	}
	return r.decision, r.err
}

// TestOncePanics: a handler that panics is an error for all attempts, and the process goes on.
func TestOncePanics(t *testing.T) {
	o := newDedupe(1 << 20)
	defer o.endJobs()
	for range 2 {
		_, err := o.decide(t.Context(), text("a"), func(context.Context, *job) decision { panic("secret") })
		if status.Code(err) != codes.Internal || status.Convert(err).Message() != "internal error" {
			t.Errorf("got %v", err)
		}
	}
}

// TestCopiesAtOnce: of two copies of a message that come in one moment both may be decided, and both get one answer; a bot
// is asked once.
func TestCopiesAtOnce(t *testing.T) {
	for _, asks := range []bool{false, true} {
		o := newDedupe(1 << 20)
		var both sync.WaitGroup // look, and find nothing
		both.Add(2)
		var calls, decided atomic.Int32
		decide := func(_ context.Context, r *job) decision {
			if r == nil {
				both.Done()
				both.Wait()
				if asks {
					return decision{Decision: rules.Decision{Asks: true}}
				}
				return decision{Decision: rules.Decision{Reply: says(fmt.Sprintf("decision %d", decided.Add(1)))}}
			}
			return decision{Decision: rules.Decision{Reply: says(fmt.Sprintf("call %d", calls.Add(1)))}}
		}
		msg := text("a")
		var said [2]decision
		var attempts [2]int
		var copies sync.WaitGroup
		for i := range 2 {
			copies.Go(func() {
				var r *job
				r, attempts[i] = o.joinJob(t.Context(), msg, decide, func(*job) {})
				r.awaitEnd(t.Context(), nil)
				said[i] = r.decision
			})
		}
		copies.Wait()
		if diff := cmp.Diff(said[0].Reply, said[1].Reply, protocmp.Transform()); diff != "" || said[0].Reply == nil || attempts[0]+attempts[1] != 3 {
			t.Errorf("asks %t: attempts %v, one copy got another answer (-0 +1):\n%s", asks, attempts, diff)
		}
		if asks && calls.Load() != 1 {
			t.Errorf("the bot was asked %d times", calls.Load())
		}
		o.endJobs()
	}
}

// TestOnceMemory: a flood of messages is kept in the memory that was given, and not more.
func TestOnceMemory(t *testing.T) {
	const memory = 1 << 20
	o := newDedupe(memory)
	defer o.endJobs()
	for range 10_000 {
		if _, err := o.decide(t.Context(), text("a"), func(context.Context, *job) decision {
			return decision{Decision: rules.Decision{Reply: says("an answer")}}
		}); err != nil {
			t.Fatal(err)
		}
	}
	o.goroutines.Wait()
	if n := o.answers.current.count() + o.answers.previous.count(); n == 0 || n > memory/textSize || len(o.running) != 0 {
		t.Errorf("%d answers are kept, %d run; want at most %d and none", n, len(o.running), memory/textSize)
	}
}

// TestCloseEndsRuns: nothing runs on when the process ends.
func TestCloseEndsRuns(t *testing.T) {
	o := newDedupe(1 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{})
	go func() {
		<-begun
		cancel()
	}()
	_, err := o.decide(ctx, text("a"), func(ctx context.Context, r *job) decision {
		if r == nil {
			return decision{Decision: rules.Decision{Asks: true}}
		}
		close(begun)
		<-ctx.Done()
		return decision{}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	o.endJobs()
}

// TestSlowBotWithoutTimeout: a bot that was given no time of its own has the caller's, and is not waited for longer.
func TestSlowBotWithoutTimeout(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	r := startConfig(t, Config{
		Rules: write(t, t.TempDir(), "rules.yaml", "rules:\n  - {name: bot, forward: handler:bot}\n  - {name: next, reply: {text: next}}\n"),
		Handlers: map[string]Handler{"bot": func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
			<-gate
			return nil, nil
		}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	resp, err := r.Reply(ctx, &replierv1.ReplyRequest{Message: text("a")})
	if err != nil || resp.GetCoordination().GetState() == stateHold || !proto.Equal(resp.GetReply(), says("next")) {
		t.Errorf("got %v, %v; want the next rule's answer", resp, err)
	}
}

// TestNegativeOnceMemory: it would be no bound at all.
func TestNegativeOnceMemory(t *testing.T) {
	cfg := Config{Listen: "127.0.0.1:0", OnceMemory: -1}
	if _, err := cfg.Complete(); err == nil || err.Error() != "once memory: less than 0; expected MiB, 0 for the default" {
		t.Errorf("got %v", err)
	}
}
