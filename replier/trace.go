package replier

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// Bounds of a trace's texts.
const (
	maxName   = 256 // bytes of a name
	maxFailed = 8   // rules that failed
)

// The names of a trace's steps.
const (
	stepRules   = "rules"
	stepFetch   = "fetch"   // in place of rules, if the message fetched an earlier answer
	stepForward = "forward" // within rules
)

// wantsTrace reports whether a caller asks for a trace.
func wantsTrace(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, service.DebugKey)) > 0
}

// callTrace is the view that one call, whose caller debugs, has of the work on its message. A nil callTrace notes nothing.
type callTrace struct {
	arrived time.Time
	steps   *traceSteps // of work that needs no job
	job     *job        // nil: no work was begun
	attempt int
	isLate  bool // the answer was not ready
}

// replyTraced is reply with a trace in the call's trailer.
func (s *Server) replyTraced(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	t := &callTrace{arrived: time.Now(), steps: &traceSteps{}}
	resp, err := s.reply(ctx, req, t)
	_ = grpc.SetTrailer(ctx, t.buildTrace(resp, err).Trailer())
	return resp, err
}

func (t *callTrace) noteJob(j *job, attempt int) {
	if t != nil {
		t.job, t.attempt = j, attempt
	}
}

func (t *callTrace) noteLate() {
	if t != nil {
		t.isLate = true
	}
}

// buildTrace returns the trace of a call with this result.
func (t *callTrace) buildTrace(resp *replierv1.ReplyResponse, err error) *service.ReplyTrace {
	now := time.Now()
	built := &service.ReplyTrace{Attempt: t.attempt, Micros: now.Sub(t.arrived).Microseconds()}
	if t.job != nil {
		t.describeJob(built, now)
	}
	switch state := resp.GetCoordination().GetState(); {
	case err != nil:
		built.Outcome = string(outcomeFailed)
	case state == stateHold, state == stateUnstored:
		built.Outcome = string(outcomeHold)
	case state == stateGivenUp:
		built.Outcome = string(outcomeGivenUp)
	case state == stateDeferred:
		built.Outcome = string(outcomeDeferred)
	case t.isLate:
		built.Outcome = string(outcomeDropped)
	}
	return built
}

// describeJob adds the job's steps, rule and failures to a trace.
func (t *callTrace) describeJob(built *service.ReplyTrace, now time.Time) {
	rule := cmp.Or(t.job.steps.Load(), t.steps).addTo(built, t.arrived, now)
	if t.job.hasEnded() {
		d := t.job.decision
		built.Outcome = string(d.answerOutcome())
		if d.Rule != nil || !t.isLate {
			rule = d.Rule
		}
		if d.fetched && len(built.Steps) > 0 {
			built.Steps[0].Name = stepFetch
		}
		for _, err := range d.Failed[:min(len(d.Failed), maxFailed)] {
			first, _, _ := strings.Cut(err.Error(), "\n") // a panic's stack is for the log
			built.Failed = append(built.Failed, clipName(first))
		}
	}
	if rule != nil {
		built.Rule, built.File, built.Line = clipName(rule.Name), clipName(rule.File), rule.Line
	}
}

// clipName shortens a name.
func clipName(s string) string {
	if len(s) <= maxName {
		return s
	}
	return s[:maxName]
}

// traceSteps are the steps of a job, with their times. Nil ones note nothing.
type traceSteps struct {
	mu       sync.Mutex
	all      []traceStep
	forwards *rules.Rule // the last that forwarded
}

type traceStep struct {
	name, to    string
	begun, done time.Time // done is zero until the step ends
}

// startSteps returns the steps for the work that a call begins. A job gets new ones, which all calls that join it see.
func (t *callTrace) startSteps(j *job) *traceSteps {
	if t == nil {
		return nil
	}
	if j == nil {
		return t.steps
	}
	fresh := &traceSteps{}
	j.steps.Store(fresh)
	return fresh
}

// startStep notes a step, which ends when done is called.
func (s *traceSteps) startStep(name, to string) (done func()) {
	if s == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.all)
	if i == service.MaxTraceSteps {
		return func() {}
	}
	s.all = append(s.all, traceStep{name: name, to: to, begun: time.Now()})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all[i].done = time.Now()
	}
}

// watchForwards returns ask with a note of each bot and rule.
func (s *traceSteps) watchForwards(ask rules.ForwardFunc) rules.ForwardFunc {
	if s == nil {
		return ask
	}
	return func(ctx context.Context, rule *rules.Rule, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		s.mu.Lock()
		s.forwards = rule
		s.mu.Unlock()
		defer s.startStep(stepForward, clipName(rule.Forward.To))()
		return ask(ctx, rule, msg)
	}
}

// addTo adds the steps between two times to a trace, and returns the last rule that forwarded.
func (s *traceSteps) addTo(built *service.ReplyTrace, from, until time.Time) *rules.Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range s.all {
		if step.done.IsZero() || step.done.After(until) {
			step.done = until
		}
		if step.begun.Before(from) {
			step.begun = from
		}
		if step.done.After(step.begun) {
			start := step.begun.Sub(from).Microseconds()
			built.Steps = append(built.Steps, service.TraceStep{Name: step.name, To: step.to, From: start, Micros: step.done.Sub(from).Microseconds() - start})
		}
	}
	return s.forwards
}
