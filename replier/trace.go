package replier

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// Bounds of what a trace tells.
const (
	maxWord   = 256 // bytes of a name
	maxFailed = 8   // rules that failed
)

// debugs tells whether a caller asks how its answer comes about.
func debugs(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, replierv1.DebugKey)) > 0
}

// seen is what one call, whose caller debugs, saw of the work on its message. A nil one sees nothing.
type seen struct {
	came    time.Time
	steps   *steps // of what is done in a moment
	run     *run   // nil: no work was begun
	attempt int
	late    bool // the answer was not ready
}

// traced is reply with a trace in the call's trailer.
func (s *Server) traced(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	by := &seen{came: time.Now(), steps: &steps{}}
	resp, err := s.reply(ctx, req, by)
	_ = grpc.SetTrailer(ctx, by.trace(resp, err).Trailer())
	return resp, err
}

func (b *seen) joined(r *run, attempt int) {
	if b != nil {
		b.run, b.attempt = r, attempt
	}
}

func (b *seen) answeredLate() {
	if b != nil {
		b.late = true
	}
}

// trace returns what there is to tell, once the answer is known.
func (b *seen) trace(resp *replierv1.ReplyResponse, err error) *replierv1.Trace {
	now := time.Now()
	t := &replierv1.Trace{Attempt: b.attempt, Micros: now.Sub(b.came).Microseconds()}
	if b.run != nil {
		rule := cmp.Or(b.run.steps.Load(), b.steps).between(b.came, now, t)
		if b.run.ended() {
			d := b.run.decision
			t.Outcome = d.outcome()
			if d.Rule != nil || !b.late {
				rule = d.Rule
			}
			if d.fetched && len(t.Steps) > 0 {
				t.Steps[0].Name = "fetch"
			}
			for _, err := range d.Failed[:min(len(d.Failed), maxFailed)] {
				first, _, _ := strings.Cut(err.Error(), "\n") // a panic's stack is for the log
				t.Failed = append(t.Failed, clip(first))
			}
		}
		if rule != nil {
			t.Rule, t.File, t.Line = clip(rule.Name), clip(rule.File), rule.Line
		}
	}
	switch state := resp.GetCoordination().GetState(); {
	case err != nil:
		t.Outcome = "failed"
	case state == stateHold, state == stateUnstored:
		t.Outcome = "hold"
	case state == stateGivenUp:
		t.Outcome = "given_up"
	case state == stateDeferred:
		t.Outcome = "deferred"
	case b.late:
		t.Outcome = "dropped"
	}
	return t
}

// clip shortens a name.
func clip(s string) string {
	if len(s) <= maxWord {
		return s
	}
	return s[:maxWord]
}

// steps are what a run does, and when. Nil ones note nothing.
type steps struct {
	mu       sync.Mutex
	all      []step
	forwards *rules.Rule // the last that did
}

type step struct {
	name, to    string
	begun, done time.Time // done is zero while it goes on
}

// begins returns the steps of the work that a call begins. Where it is more than a moment's there is a run, begun anew,
// whose steps who joins it sees too.
func (b *seen) begins(r *run) *steps {
	if b == nil {
		return nil
	}
	if r == nil {
		return b.steps
	}
	anew := &steps{}
	r.steps.Store(anew)
	return anew
}

// begin notes a step, until done is called.
func (s *steps) begin(name, to string) (done func()) {
	if s == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.all)
	if i == replierv1.MaxSteps {
		return func() {}
	}
	s.all = append(s.all, step{name: name, to: to, begun: time.Now()})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all[i].done = time.Now()
	}
}

// watch returns a ForwardFunc that notes which bot it asks, and for which rule.
func (s *steps) watch(ask rules.ForwardFunc) rules.ForwardFunc {
	if s == nil {
		return ask
	}
	return func(ctx context.Context, rule *rules.Rule, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		s.mu.Lock()
		s.forwards = rule
		s.mu.Unlock()
		defer s.begin("forward", clip(rule.Forward.To))()
		return ask(ctx, rule, msg)
	}
}

// between puts the steps into a trace of what was between two times, and returns the rule that forwards.
func (s *steps) between(came, now time.Time, t *replierv1.Trace) *rules.Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.done.IsZero() || one.done.After(now) {
			one.done = now
		}
		if one.begun.Before(came) {
			one.begun = came
		}
		if one.done.After(one.begun) {
			from := one.begun.Sub(came).Microseconds()
			t.Steps = append(t.Steps, replierv1.Step{Name: one.name, To: one.to, From: from, Micros: one.done.Sub(came).Microseconds() - from})
		}
	}
	return s.forwards
}
