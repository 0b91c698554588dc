package replier

import (
	"context"
	"errors"
	"time"

	"wxgate/internal/backlog"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// maxPushes is how many messages of an account WeChat is given at a time. If an oauthsvc dies, it is uncertain whether those
	// arrived.
	maxPushes = 16
	// beginTime is how long the store may take to note an attempt. The account's other answers wait meanwhile.
	beginTime = 2 * time.Second
)

// answerPush sends one answer to its user as customer-service messages. It is for one goroutine.
type answerPush struct {
	server        *Server
	work          *backlog.Work
	msg           *wechatv1.Message
	reply         *wechatv1.Reply
	parts         []*oauthv1.CustomMessage
	sent          int  // parts that WeChat took
	isOpen        bool // the result of the last attempt is not known
	checks        int  // questions about that attempt without an answer
	storeFailures int  // failures of the store since it answered last
}

// pushAnswer sends an answer as customer-service messages, after the first sent parts of it, which WeChat took before. It waits
// for the answers to the user's earlier messages, and tries again while WeChat's window is open.
func (s *Server) pushAnswer(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, reply *wechatv1.Reply, sent int) {
	reply = shortenReply(reply)
	parts, err := customMessages(reply)
	if err != nil {
		s.endWithBusyText(ctx, w, msg, false, backlog.Ending{State: backlog.Refused, Reason: err.Error()})
		return
	}
	p := &answerPush{server: s, work: w, msg: msg, reply: reply, parts: parts, sent: sent}
	_, _, p.isOpen = w.LastAttempt()
	defer s.stuck.removeAnswer(p)
	noting, cancel := lingeringContext(ctx)
	defer cancel()
	for w.AwaitTurn(ctx) == nil && p.nextAttempt(ctx, noting) {
	}
}

// nextAttempt makes one attempt, or asks about the last one, and notes the result; noting outlives ctx a little. It reports
// whether there is more to do.
func (p *answerPush) nextAttempt(ctx, noting context.Context) (more bool) {
	w := p.work
	switch attempt, begun, _ := w.LastAttempt(); {
	case p.isOpen && w.IsExpired():
		return p.noteResult(ctx, noting, pushResult{state: backlog.Uncertain, reason: "whether WeChat took the answer could not be learned"})
	case p.isOpen:
		return p.noteResult(ctx, noting, p.server.checkAttempt(ctx, p.msg, attempt, begun))
	case w.IsExpired():
		_ = w.End(noting, backlog.Expired, "", "")
		return false
	case !p.server.mayPush(p.msg.GetAccount()):
		p.keepForNextMessage(noting)
		return false
	}
	r, err := p.sendNextPart(ctx)
	switch {
	case err == nil:
		p.storeFailures = 0
		return p.noteResult(ctx, noting, r)
	case ctx.Err() != nil || errors.Is(err, backlog.ErrTaken):
		return false
	case errors.Is(err, backlog.ErrRejected):
		p.endRefused(ctx, noting, backlog.Ending{State: backlog.Refused, Reason: err.Error()}, true)
		return false
	}
	p.storeFailures++
	p.server.stuck.noteFailure(p, p.storeFailures, "the store cannot be written to: "+err.Error())
	return pauseBeforeRetry(ctx, p.storeFailures, 0)
}

// sendNextPart gives WeChat the next part. It holds one of the account's slots meanwhile, and does nothing in it that may take
// long. If it returns an error, nothing was sent.
func (p *answerPush) sendNextPart(ctx context.Context) (pushResult, error) {
	release, err := p.server.pushes.acquireSlot(ctx, p.msg.GetAccount())
	if err != nil {
		return pushResult{}, err
	}
	defer release()
	limited, cancel := context.WithTimeout(ctx, beginTime)
	defer cancel()
	if err := p.work.BeginAttempt(limited, p.reply, len(p.parts), p.sent); err != nil {
		return pushResult{}, err
	}
	id, _, _ := p.work.LastAttempt()
	return p.server.sendPart(ctx, p.msg, p.parts[p.sent], id), nil
}

// noteResult notes the result of an attempt, and pauses if another is to be made. It reports whether there is more to do.
func (p *answerPush) noteResult(ctx, noting context.Context, r pushResult) (more bool) {
	w := p.work
	p.isOpen = r.state == backlog.Sending
	switch r.state {
	case backlog.Sending: // the call was cut off: oauthsvc knows more
		p.checks++
		p.server.stuck.noteFailure(p, p.checks, "what became of an attempt cannot be learned")
		return pauseBeforeRetry(ctx, p.checks, 0)
	case backlog.Sent:
		p.server.stuck.removeAnswer(p)
		if p.sent++; p.sent < len(p.parts) {
			return true
		}
		_ = w.End(noting, backlog.Sent, "", "")
	case backlog.Pending:
		if w.NoteRetry(noting, r.reason, r.errcode) != nil {
			return false
		}
		p.server.stuck.noteFailure(p, w.Retries(), r.reason)
		return pauseBeforeRetry(ctx, w.Retries(), r.retryAfter)
	case backlog.Refused:
		if !p.server.mayPush(p.msg.GetAccount()) { // that was why
			p.keepForNextMessage(noting)
			return false
		}
		p.endRefused(ctx, noting, backlog.Ending{State: r.state, Reason: r.reason, Errcode: r.errcode}, r.acceptsOther)
	default:
		_ = w.End(noting, r.state, r.reason, r.errcode)
	}
	return false
}

// endRefused ends the message. If the user has read nothing of the answer, and WeChat accepts other messages, the user is told
// that no answer comes.
func (p *answerPush) endRefused(ctx, noting context.Context, e backlog.Ending, acceptsOther bool) {
	if acceptsOther && p.sent == 0 && p.work.Apology() == nil {
		p.server.endWithBusyText(ctx, p.work, p.msg, false, e)
		return
	}
	_ = p.work.End(noting, e.State, e.Reason, e.Errcode)
}

// keepForNextMessage keeps the answer for the user's next message: the account may not send customer-service messages
// (platform.md F.3), and a passive reply needs no such right.
func (p *answerPush) keepForNextMessage(ctx context.Context) {
	if p.sent > 0 || p.work.Apology() != nil { // by then the user asks something else
		_ = p.work.End(ctx, backlog.Refused, errNotAllowed.Error(), "")
		return
	}
	p.work.NoteFailure(errNotAllowed)
	p.server.keepAnswer(ctx, p.work, p.msg, p.reply)
}

var errNotAllowed = errors.New("the account may not send it, or this replier has no --oauth: it waits for the user's next message")
