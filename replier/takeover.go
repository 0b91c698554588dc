package replier

import (
	"context"
	"sync"

	"wxgate/internal/backlog"
	wechatv1 "wxgate/proto/wechat/v1"
)

// takeOver works on stored messages that no replica works on, until ctx ends: those of replicas that died, and those that
// gateways stored while no replica was reachable.
func (s *Server) takeOver(ctx context.Context) {
	for {
		work, err := s.slow.backlog.Next(ctx, s.takeovers.isBusy)
		if err != nil {
			return
		}
		s.takeovers.addCount(work.Account(), 1)
		s.jobs.goroutines.Go(func() { s.resumeWork(work) })
	}
}

// resumeWork works on a message that was taken over. While its answer is made it counts among the account's takeovers.
func (s *Server) resumeWork(work *backlog.Work) {
	ctx, account := s.jobs.ctx, work.Account() // a job may own work when free is called
	free := sync.OnceFunc(func() {
		s.takeovers.addCount(account, -1)
		s.slow.backlog.WakeNext()
	})
	defer free()
	msg, err := work.Message()
	if err != nil {
		_ = work.End(ctx, backlog.GivenUp, err.Error(), "")
		work.Release()
		return
	}
	if s.continueDelivery(ctx, work, msg, free) {
		work.Release()
		return
	}
	j, begun := s.jobs.adoptStored(ctx, msg, work, s.decideFor(context.Background(), &waitLimits{}, msg, nil), func(j *job) {
		if j.waiters.Load() == 0 {
			s.reportAlone(msg, j, "")
		}
	})
	<-j.done
	free()
	if begun { // else jobEnded delivers the answer
		s.deliverAnswer(ctx, work, msg, j)
		work.Release()
	}
}

// continueDelivery continues a message whose answer or end is known already, after calling free. It reports false if the answer
// is still to be made.
func (s *Server) continueDelivery(ctx context.Context, work *backlog.Work, msg *wechatv1.Message, free func()) bool {
	if ending := work.Apology(); ending != nil {
		free()
		s.endWithBusyText(ctx, work, msg, work.IsLater(), *ending)
		return true
	}
	if reply, sent := work.Reply(); reply != nil {
		free()
		s.pushAnswer(ctx, work, msg, reply, sent)
		return true
	}
	isAnswered, _, _ := work.AskAnswered(ctx)
	if isAnswered {
		_ = work.End(ctx, backlog.Sent, answeredInTime, "")
	}
	return isAnswered
}
