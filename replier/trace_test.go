package replier

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// traced asks as a gateway that debugs does, for which WeChat waits a little, and returns what the replier tells.
func (r *running) traced(t *testing.T, msg *wechatv1.Message) *service.ReplyTrace {
	t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), service.DebugKey, "1"), 1500*time.Millisecond)
	defer cancel()
	var trailer metadata.MD
	_, _ = r.Reply(ctx, &replierv1.ReplyRequest{Message: msg, Coordination: mayDefer}, grpc.Trailer(&trailer))
	got, err := service.ReadReplyTrace(trailer)
	if err != nil || got == nil {
		t.Fatalf("no trace: %v, %v", trailer, err)
	}
	for _, s := range got.Steps {
		if s.From < 0 || s.Micros < 0 || s.From+s.Micros > got.Micros {
			t.Errorf("step %+v is outside of the %d µs", s, got.Micros)
		}
	}
	return got
}

// timeless compares traces without their times.
var timeless = cmp.Options{cmpopts.IgnoreFields(service.ReplyTrace{}, "Micros"), cmpopts.IgnoreFields(service.TraceStep{}, "From", "Micros")}

var rulesStep = service.TraceStep{Name: "rules"}

// TestTraceWhereAsked: who does not ask is told nothing, and the run notes nothing.
func TestTraceWhereAsked(t *testing.T) {
	r := startRules(t, "rules:\n  - {name: one, match: {text: hi}, reply: {text: ho}}\n")
	var trailer metadata.MD
	msg := text("hi")
	if _, err := r.Reply(t.Context(), &replierv1.ReplyRequest{Message: msg}, grpc.Trailer(&trailer)); err != nil || len(trailer) != 0 {
		t.Errorf("%v, trailer %v; want none", err, trailer)
	}
	if got := r.traced(t, msg); got.Attempt != 2 || got.Rule != "one" || len(got.Steps) != 0 {
		t.Errorf("got %+v; want the second attempt, whose work nobody watched", got)
	}
}

// TestTrace: what answered, and what took time.
func TestTrace(t *testing.T) {
	const file = `
rules:
  - {name: 规则, match: {text: hi}, reply: {text: ho}}
  - {name: quiet, match: {text: quiet}, silent: true}
  - {name: bot, match: {text: bot}, forward: "handler:bot"}
  - {name: broken, match: {text: broken}, forward: {to: "handler:panics", fallback: {text: sorry}}}
`
	path := write(t, t.TempDir(), "rules.yaml", file)
	r := startConfig(t, Config{Rules: path, Handlers: map[string]Handler{
		"bot":    replies(says("ho"), nil),
		"panics": func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { panic(usersWords) },
	}})
	to := func(name string) service.TraceStep { return service.TraceStep{Name: "forward", To: name} }
	for said, want := range map[string]*service.ReplyTrace{
		"hi":     {Outcome: "reply", Rule: "规则", Line: 3, Steps: []service.TraceStep{rulesStep}},
		"quiet":  {Outcome: "silent", Rule: "quiet", Line: 4, Steps: []service.TraceStep{rulesStep}},
		"bot":    {Outcome: "reply", Rule: "bot", Line: 5, Steps: []service.TraceStep{rulesStep, to("handler:bot")}},
		"broken": {Outcome: "reply", Rule: "broken", Line: 6, Steps: []service.TraceStep{rulesStep, to("handler:panics")}, Failed: []string{"rule broken: forward to handler:panics: panic: a string"}},
		"other":  {Outcome: "no_rule", Steps: []service.TraceStep{rulesStep}},
	} {
		if want.Attempt = 1; want.Rule != "" {
			want.File = path
		}
		msg := text(said)
		if diff := cmp.Diff(want, r.traced(t, msg), timeless); diff != "" {
			t.Errorf("%s (-want +got):\n%s", said, diff)
		}
		want.Attempt, want.Steps = 2, nil // it was done before
		if diff := cmp.Diff(want, r.traced(t, msg), timeless); diff != "" {
			t.Errorf("%s again (-want +got):\n%s", said, diff)
		}
	}
	if got := r.traced(t, nil); got.Outcome != "failed" || got.Attempt != 0 {
		t.Errorf("no message: %+v", got)
	}
}

// TestTraceOfWays: an answer that is not ready tells which rule waits for whom, and one that was fetched that no rule
// was asked.
func TestTraceOfWays(t *testing.T) {
	const file = `
rules:
  - {name: push, match: {text: push}, forward: {to: "handler:bot", wait: 0s}}
  - {name: hold, match: {text: hold}, forward: {to: "handler:bot", slow: hold}}
  - {name: drop, match: {text: drop}, forward: {to: "handler:bot", slow: drop, wait: 0s}}
  - {name: later, match: {text: later}, forward: {to: "handler:bot", slow: later, wait: 0s}}
`
	s := startSlow(t, file, store.Config{}, nil)
	steps := []service.TraceStep{rulesStep, {Name: "forward", To: "handler:bot"}}
	for i, c := range []struct{ said, outcome string }{{"push", "deferred"}, {"hold", "hold"}, {"drop", "dropped"}, {"later", "deferred"}} {
		msg := text(c.said)
		msg.FromUserName = "oUser" + c.said
		want := &service.ReplyTrace{Outcome: c.outcome, Attempt: 1, Rule: c.said, Line: i + 3, Steps: steps}
		known := cmpopts.IgnoreFields(service.ReplyTrace{}, "File")
		if diff := cmp.Diff(want, s.traced(t, msg), timeless, known); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.said, diff)
		}
		switch c.said {
		case "push": // its message is stored
			if diff := cmp.Diff(&service.ReplyTrace{Outcome: "deferred"}, s.traced(t, msg), timeless); diff != "" {
				t.Errorf("push again (-want +got):\n%s", diff)
			}
		case "hold":
			want.Attempt = 2
			if diff := cmp.Diff(want, s.traced(t, msg), timeless, known); diff != "" {
				t.Errorf("hold again (-want +got):\n%s", diff)
			}
		}
		close(s.gate(c.said))
		if c.said == "later" {
			s.state(t, msg, backlog.Kept)
		}
	}
	next := text("well?")
	next.FromUserName = "oUserlater"
	want := &service.ReplyTrace{Outcome: "fetched", Attempt: 1, Steps: []service.TraceStep{{Name: "fetch"}}}
	if diff := cmp.Diff(want, s.traced(t, next), timeless); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
}

// TestTraceIsBounded: however many rules fail, and however long their names are, a gateway reads the trace.
func TestTraceIsBounded(t *testing.T) {
	var file strings.Builder
	file.WriteString("rules:\n")
	for i := range 40 {
		fmt.Fprintf(&file, "  - {name: %q, forward: \"handler:bot\"}\n", fmt.Sprint(strings.Repeat("\u2028", 400), i))
	}
	r := startConfig(t, Config{Rules: write(t, t.TempDir(), "rules.yaml", file.String()), Slow: accounts.Slow{How: accounts.Drop},
		Handlers: map[string]Handler{"bot": replies(nil, context.Canceled)}})
	if got := r.traced(t, text("hi")); got.Outcome != "no_rule" || len(got.Failed) != maxFailed || len(got.Steps) != service.MaxTraceSteps {
		t.Errorf("got %+v", got)
	}
}
