package replier

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// heardAfter is when gateways surely know whether an answer came to them.
	heardAfter = 2 * time.Second
	// askAnswered is how long they are asked where they can't be reached; they remember for longer.
	askAnswered = 20 * time.Second
	// linger is how long what was done may be noted while the process ends.
	linger = 2 * time.Second
	// Between the attempts to give WeChat a message: the first wait, doubled each time, up to the longest.
	firstWait   = time.Second
	longestWait = 5 * time.Minute
)

// ended has the answer of a run follow if its message was stored. requestID is of the call that began the run.
func (s *Server) ended(msg *wechatv1.Message, r *run, requestID string) {
	if r.waiting.Load() == 0 {
		s.report(msg, r, requestID)
	}
	storing := r.finish()
	if storing == nil {
		return
	}
	s.once.all.Go(func() {
		<-storing.done
		if work := storing.work; work != nil {
			defer work.Release()
			s.deliver(s.once.ctx, work, msg, r)
		}
	})
}

// takeOver works on messages that nobody works on any more: those of replicas that died, and those that gateways stored
// while no replica was there. Until ctx ends.
func (s *Server) takeOver(ctx context.Context) {
	for {
		work, err := s.ways.backlog.Next(ctx, s.takeovers.isBusy)
		if err != nil {
			return
		}
		s.takeovers.add(work.Account(), 1)
		s.once.all.Go(func() { s.resume(work) })
	}
}

const answeredInTime = "another attempt was answered in time"

// resume works on a message that was taken over. While its answer is made it counts among the account's takeovers.
func (s *Server) resume(work *backlog.Work) {
	ctx, account := s.once.ctx, work.Account() // work may be another goroutine's when it is freed
	free := sync.OnceFunc(func() {
		s.takeovers.add(account, -1)
		s.ways.backlog.WakeNext()
	})
	defer free()
	msg, err := work.Message()
	if err != nil {
		_ = work.End(ctx, backlog.GivenUp, err.Error(), "")
		work.Release()
		return
	}
	if ending := work.Apology(); ending != nil {
		free()
		s.apologize(ctx, work, msg, work.IsLater(), *ending)
		work.Release()
		return
	}
	if reply, sent := work.Reply(); reply != nil {
		free()
		s.follow(ctx, work, msg, reply, sent)
		work.Release()
		return
	}
	if answered, _, _ := work.AskAnswered(ctx); answered {
		_ = work.End(ctx, backlog.Sent, answeredInTime, "")
		work.Release()
		return
	}
	r, begun := s.once.adopt(ctx, msg, work, s.decider(context.Background(), &waitLimits{}, msg, nil), func(r *run) {
		if r.waiting.Load() == 0 {
			s.report(msg, r, "")
		}
	})
	<-r.done
	free()
	if begun { // else the run's own end looks after the message
		s.deliver(ctx, work, msg, r)
		work.Release()
	}
}

// deliver has the answer of a run follow.
func (s *Server) deliver(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, r *run) {
	if ctx.Err() != nil { // the process ends: another one goes on
		return
	}
	d := r.decision
	slow := r.plan()
	account := s.book.Value().account(msg.GetAccount())
	if slow.How == "" {
		slow = s.ways.of(account, accounts.Slow{})
	}
	later := w.IsLater() || slow.How == accounts.Later && !s.mayPush(msg.GetAccount()) // else the user was not told to write again
	if len(d.Failed) > 0 {
		w.NoteFailure(errors.Join(d.Failed...))
	}
	switch {
	case !r.goes(follows) && r.goes(never):
		_ = w.End(ctx, backlog.Dropped, "the user was told that no answer comes", "")
	case s.answeredInTime(ctx, w, r):
		_ = w.End(ctx, backlog.Sent, answeredInTime, "")
	case ctx.Err() != nil:
	case r.err != nil:
		s.apologize(ctx, w, msg, later, backlog.Ending{State: backlog.GivenUp, Reason: "the rules failed: see the log"})
	case d.hasOnlyFailures():
		s.apologize(ctx, w, msg, later, backlog.Ending{State: backlog.GivenUp, Reason: errors.Join(d.Failed...).Error()})
	case saysNothing(d.Reply):
		_ = w.End(ctx, backlog.Silent, "", "")
	case later:
		s.reportSurplus(msg, d)
		s.keep(ctx, w, msg, d.Reply)
	case slow.How == accounts.Drop:
		_ = w.End(ctx, backlog.Dropped, "", "")
	default:
		s.reportSurplus(msg, d)
		s.follow(ctx, w, msg, d.Reply, 0)
	}
}

// saysNothing reports whether a user would read nothing: WeChat shows its failure line for an empty text (platform.md A.6).
func saysNothing(reply *wechatv1.Reply) bool {
	text := reply.GetText()
	return reply.GetContent() == nil || text != nil && strings.TrimSpace(text.GetContent()) == ""
}

// answeredInTime reports whether WeChat, which waited, has the answer of a run. One that went to WeChat may have been cut off
// on its way: the gateways know, once they had time to.
func (s *Server) answeredInTime(ctx context.Context, w *backlog.Work, r *run) bool {
	went := r.goes(inTime)
	if went && !sleep(ctx, heardAfter) || !went && !r.doubt.Load() {
		return false
	}
	answered, known, err := w.AskAnswered(ctx)
	for end := time.Now().Add(askAnswered); err != nil && time.Now().Before(end) && sleep(ctx, time.Second); {
		answered, known, err = w.AskAnswered(ctx)
	}
	return answered || went && !known
}

// rest waits before the next attempt, at least so long. It reports false if ctx ends first.
func rest(ctx context.Context, retries int, least time.Duration) bool {
	wait := max(firstWait<<min(retries-1, 16), 2*least)
	wait = min(wait, longestWait)
	return sleep(ctx, wait/2+rand.N(wait/2)) // those who failed together do not come back together
}

// sleep waits; false where ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// lingering returns a context that ends a little after ctx.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(linger, cancel) })
	return own, func() { stop(); cancel() }
}
