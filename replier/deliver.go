package replier

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// pushTime is how long oauthsvc may take to give WeChat a message, with what it repeats by itself.
	pushTime = 10 * time.Second
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

// ended has the answer of a run follow, where its message was stored.
func (s *Server) ended(msg *wechatv1.Message, r *run) {
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
		work, err := s.ways.backlog.Next(ctx)
		if err != nil {
			return
		}
		if s.slots.Acquire(ctx, 1) != nil {
			return
		}
		s.once.all.Go(func() { s.resume(work) })
	}
}

const answeredInTime = "another attempt was answered in time"

// slots is how many messages that were taken over may be worked on at a time: bots that come back are not run over.
const slots = 256

// sends is how many messages WeChat is given at a time: of those, an oauthsvc that dies leaves it uncertain whether they
// arrived.
const sends = 16

// resume works on a message that was taken over, in a slot.
func (s *Server) resume(work *backlog.Work) {
	ctx := s.once.ctx
	free := sync.OnceFunc(func() { s.slots.Release(1) })
	defer free()
	msg, err := work.Message()
	if err != nil {
		_ = work.End(ctx, backlog.GivenUp, err.Error(), "")
		work.Release()
		return
	}
	if reply, sent := work.Reply(); reply != nil {
		free()
		s.follow(ctx, work, msg, reply, sent)
		work.Release()
		return
	}
	if answered, _, _ := work.AnsweredMeanwhile(ctx); answered {
		_ = work.End(ctx, backlog.Sent, answeredInTime, "")
		work.Release()
		return
	}
	r, begun := s.once.adopt(ctx, msg, work, s.decider(time.Time{}, msg, true, nil))
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
	slow, _ := r.planned()
	account := s.book.Value().account(msg.GetAccount())
	if slow.How == "" {
		slow = s.ways.of(account, accounts.Slow{})
	}
	switch {
	case !r.goes(follows) && r.goes(never):
		_ = w.End(ctx, backlog.Dropped, "the user was told that no answer comes", "")
	case s.answeredInTime(ctx, w, r):
		_ = w.End(ctx, backlog.Sent, answeredInTime, "")
	case ctx.Err() != nil:
	case r.err != nil:
		_ = w.End(ctx, backlog.GivenUp, "the rules failed: see the log", "")
	case d.rule == nil && len(d.failed) > 0:
		_ = w.End(ctx, backlog.GivenUp, errors.Join(d.failed...).Error(), "")
	case d.reply.GetContent() == nil || d.reply.GetText() != nil && d.reply.GetText().GetContent() == "":
		_ = w.End(ctx, backlog.Silent, "", "")
	case w.Later() || slow.How == accounts.Later:
		endRejected(ctx, w, w.Keep(ctx, d.reply))
	case slow.How == accounts.Drop:
		_ = w.End(ctx, backlog.Dropped, "", "")
	default:
		s.follow(ctx, w, msg, d.reply, 0)
	}
}

// answeredInTime tells whether WeChat, which waited, has the answer of a run. One that went to WeChat may have been cut off
// on its way: the gateways know, once they had time to.
func (s *Server) answeredInTime(ctx context.Context, w *backlog.Work, r *run) bool {
	went := r.goes(inTime)
	if went && !sleep(ctx, heardAfter) || !went && !r.doubt.Load() {
		return false
	}
	answered, known, err := w.AnsweredMeanwhile(ctx)
	for end := time.Now().Add(askAnswered); err != nil && time.Now().Before(end) && sleep(ctx, time.Second); {
		answered, known, err = w.AnsweredMeanwhile(ctx)
	}
	return answered || went && !known
}

// follow sends an answer as customer-service messages, but for those that were sent: behind those to the user's earlier
// messages, again and again while WeChat's window is open.
func (s *Server) follow(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, reply *wechatv1.Reply, sent int) {
	parts, err := customMessages(reply)
	if err != nil {
		_ = w.End(ctx, backlog.Refused, err.Error(), "")
		return
	}
	if s.account == nil {
		_ = w.End(ctx, backlog.Refused, "this replier has no --oauth, and cannot send", "")
		return
	}
	noting, cancel := lingering(ctx)
	defer cancel()
	_, _, open := w.Attempt()
	asked := 0 // how often, in vain, what became of an attempt
	for w.Turn(ctx) == nil {
		p := pushed{}
		switch attempt, begun, _ := w.Attempt(); {
		case open && w.Over():
			p = pushed{state: backlog.Uncertain, reason: "whether WeChat took the answer could not be learned"}
		case open:
			p = s.ask(ctx, msg, attempt, begun)
		case w.Over():
			_ = w.End(noting, backlog.Expired, "", "")
			return
		default:
			if s.sends.Acquire(ctx, 1) != nil {
				return
			}
			err := w.Begin(ctx, reply, len(parts), sent)
			if err == nil {
				attempt, _, _ = w.Attempt()
				p = s.push(ctx, msg, parts[sent], attempt)
			}
			s.sends.Release(1)
			if err != nil {
				endRejected(noting, w, err)
				return
			}
		}
		open = p.state == backlog.Sending
		switch p.state {
		case backlog.Sending: // the call was cut off: oauthsvc knows more
			if asked++; !rest(ctx, asked) {
				return
			}
		case backlog.Sent:
			if sent++; sent == len(parts) {
				_ = w.End(noting, backlog.Sent, "", "")
				return
			}
		case backlog.Pending:
			if w.Again(noting, p.reason, p.errcode) != nil || !rest(ctx, w.Retries()) {
				return
			}
		default:
			if p.reason == reasonName(oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED) {
				s.ways.refusals.note(msg.GetAccount())
			}
			_ = w.End(noting, p.state, p.reason, p.errcode)
			return
		}
	}
}

// endRejected ends a message whose answer the store will never take. Any other err, and nil, leave it as it is.
func endRejected(ctx context.Context, w *backlog.Work, err error) {
	if errors.Is(err, backlog.ErrRejected) {
		_ = w.End(ctx, backlog.Refused, err.Error(), "")
	}
}

// pushed is what became of an attempt to give WeChat a message: Sent, Pending where it may be given again, Refused, Uncertain,
// or Sending where oauthsvc is to be asked.
type pushed struct {
	state           backlog.State
	reason, errcode string
}

// push gives WeChat a message. It goes on while the process ends.
func (s *Server) push(ctx context.Context, msg *wechatv1.Message, part *oauthv1.CustomMessage, attempt string) pushed {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTime)
	defer cancel()
	var reached peer.Peer
	_, err := s.account.SendCustomMessage(ctx, &oauthv1.SendCustomMessageRequest{
		Account: msg.GetAccount(), Openid: msg.GetFromUserName(), Message: part, AttemptId: attempt,
	}, grpc.Peer(&reached))
	return understand(err, reached.Addr != nil)
}

// ask asks oauthsvc what became of an attempt to give WeChat a message.
func (s *Server) ask(ctx context.Context, msg *wechatv1.Message, attempt string, begun time.Time) pushed {
	ctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	_, err := s.account.CheckCustomMessage(ctx, &oauthv1.CheckCustomMessageRequest{
		Account: msg.GetAccount(), AttemptId: attempt, AgeMs: max(0, time.Since(begun).Milliseconds()),
	})
	switch st := status.Convert(err); {
	case st.Code() == codes.Unimplemented: // an oauthsvc of a version before
		return pushed{state: backlog.Uncertain, reason: "the call was cut off"}
	case err != nil && len(st.Details()) == 0: // it is the question that failed, not the attempt
		return pushed{state: backlog.Sending, reason: st.Code().String()}
	}
	p := understand(err, true)
	if p.state == backlog.Uncertain {
		p.reason = "the process that gave WeChat the answer ended, or lost its store"
	}
	return p
}

// final are the reasons for which WeChat will not take the message later either.
var final = map[string]bool{
	reasonName(oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED):   true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT):   true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID): true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED): true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID):  true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED):  true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT): true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST): true,
	reasonName(oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR):  true,
}

// understand tells what an error of SendCustomMessage means for the message; reached is false where the call surely did
// not leave this process.
func understand(err error, reached bool) pushed {
	if err == nil {
		return pushed{state: backlog.Sent}
	}
	st := status.Convert(err)
	p := pushed{state: backlog.Pending, reason: st.Code().String()}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			p.reason, p.errcode = info.GetReason(), info.GetMetadata()["errcode"]
			switch {
			case info.GetMetadata()["maybe_sent"] != "":
				p.state = backlog.Uncertain
			case final[p.reason]:
				p.state = backlog.Refused
			}
			return p
		}
	}
	switch {
	case st.Code() == codes.InvalidArgument:
		p.state, p.reason = backlog.Refused, st.Message() // it names fields, and repeats none
	case reached && (st.Code() == codes.Unavailable || st.Code() == codes.DeadlineExceeded || st.Code() == codes.Canceled):
		p.state = backlog.Sending // the call was cut off
	}
	return p
}

// rest waits before the next attempt; false where ctx ends first.
func rest(ctx context.Context, retries int) bool {
	wait := min(firstWait<<min(retries-1, 16), longestWait)
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
