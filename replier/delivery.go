package replier

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// heardAfter is how long after a response its gateway certainly knows whether it arrived.
	heardAfter = 2 * time.Second
	// askAnswered is how long the gateways are asked if they are unreachable; they remember for longer.
	askAnswered = 20 * time.Second
	// linger is how long results may still be noted while the process ends.
	linger = 2 * time.Second
	// firstWait is the pause before the second attempt to give WeChat a message. It doubles each time, up to longestWait.
	firstWait   = time.Second
	longestWait = 5 * time.Minute
)

// answeredInTime is the reason of messages that needed no delivery.
const answeredInTime = "another attempt was answered in time"

// jobEnded delivers the answer of a job if its message was stored. requestID is that of the call that began the job.
func (s *Server) jobEnded(msg *wechatv1.Message, j *job, requestID string) {
	if j.waiters.Load() == 0 {
		s.reportAlone(msg, j, requestID)
	}
	storing := j.closeStoring()
	if storing == nil {
		return
	}
	s.jobs.goroutines.Go(func() {
		<-storing.done
		if work := storing.work; work != nil {
			defer work.Release()
			s.deliverAnswer(s.jobs.ctx, work, msg, j)
		}
	})
}

// deliverAnswer delivers the answer of a job whose message is stored: it is pushed, kept, or not needed.
func (s *Server) deliverAnswer(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, j *job) {
	if ctx.Err() != nil { // the process ends: another one takes over
		return
	}
	d := j.decision
	policy := j.currentPolicy()
	if policy.How == "" {
		policy = s.slow.policyFor(s.liveRules.Value().accountOf(msg.GetAccount()), accounts.Slow{})
	}
	later := w.IsLater() || policy.How == accounts.Later && !s.mayPush(msg.GetAccount()) // else the user was not told to write again
	if len(d.Failed) > 0 {
		w.NoteFailure(errors.Join(d.Failed...))
	}
	switch {
	case !j.claimRoute(routeFollows) && j.hasRoute(routeNever):
		_ = w.End(ctx, backlog.Dropped, "the user was told that no answer comes", "")
	case s.wasAnsweredInTime(ctx, w, j):
		_ = w.End(ctx, backlog.Sent, answeredInTime, "")
	case ctx.Err() != nil:
	case j.err != nil:
		s.endWithBusyText(ctx, w, msg, later, backlog.Ending{State: backlog.GivenUp, Reason: "the rules failed: see the log"})
	case d.hasOnlyFailures():
		s.endWithBusyText(ctx, w, msg, later, backlog.Ending{State: backlog.GivenUp, Reason: errors.Join(d.Failed...).Error()})
	case saysNothing(d.Reply):
		_ = w.End(ctx, backlog.Silent, "", "")
	case later:
		s.reportSurplus(msg, d)
		s.keepAnswer(ctx, w, msg, d.Reply)
	case policy.How == accounts.Drop:
		_ = w.End(ctx, backlog.Dropped, "", "")
	default:
		s.reportSurplus(msg, d)
		s.pushAnswer(ctx, w, msg, d.Reply, 0)
	}
}

// saysNothing reports whether a user would read nothing: WeChat shows its failure line for an empty text (platform.md A.6).
func saysNothing(reply *wechatv1.Reply) bool {
	text := reply.GetText()
	return reply.GetContent() == nil || text != nil && strings.TrimSpace(text.GetContent()) == ""
}

// wasAnsweredInTime reports whether WeChat, which waited, has the answer of a job. A response may have been cut off on its way:
// the gateways know after a moment whether it arrived.
func (s *Server) wasAnsweredInTime(ctx context.Context, w *backlog.Work, j *job) bool {
	responded := j.hasRoute(routeInTime)
	if responded && !service.SleepContext(ctx, heardAfter) || !responded && !j.answeredElsewhere.Load() {
		return false
	}
	isAnswered, known, err := w.AskAnswered(ctx)
	for end := time.Now().Add(askAnswered); err != nil && time.Now().Before(end) && service.SleepContext(ctx, time.Second); {
		isAnswered, known, err = w.AskAnswered(ctx)
	}
	return isAnswered || responded && !known
}

// pauseBeforeRetry waits for least at least, and longer after each retry. It reports false if ctx ends first.
func pauseBeforeRetry(ctx context.Context, retries int, least time.Duration) bool {
	wait := max(firstWait<<min(retries-1, 16), 2*least)
	wait = min(wait, longestWait)
	return service.SleepContext(ctx, wait/2+rand.N(wait/2)) // answers that failed together are not retried together
}

// lingeringContext returns a context that ends a little after ctx.
func lingeringContext(ctx context.Context) (context.Context, context.CancelFunc) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(linger, cancel) })
	return own, func() { stop(); cancel() }
}
