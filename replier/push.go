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
	// maxPushes is how many messages WeChat is given at a time, for each account: if an oauthsvc dies, it is uncertain whether
	// those arrived.
	maxPushes = 16
	// beginTime is how long the store may take to note an attempt: the account's other answers wait meanwhile.
	beginTime = 2 * time.Second
)

// following is an answer on its way to its user, as customer-service messages. It is for one goroutine.
type following struct {
	server *Server
	work   *backlog.Work
	msg    *wechatv1.Message
	reply  *wechatv1.Reply
	parts  []*oauthv1.CustomMessage
	sent   int  // parts that WeChat took
	open   bool // what became of the last attempt is not known
	asked  int  // how often that was asked in vain
	away   int  // how often the store was asked in vain, since it answered last
}

// follow sends an answer as customer-service messages, except for the parts that were sent: after the answers to the user's
// earlier messages, again and again while WeChat's window is open.
func (s *Server) follow(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, reply *wechatv1.Reply, sent int) {
	reply = shorten(reply)
	parts, err := customMessages(reply)
	if err != nil {
		s.apologize(ctx, w, msg, false, backlog.Ending{State: backlog.Refused, Reason: err.Error()})
		return
	}
	f := &following{server: s, work: w, msg: msg, reply: reply, parts: parts, sent: sent}
	_, _, f.open = w.LastAttempt()
	defer s.stuck.remove(f)
	noting, cancel := lingering(ctx)
	defer cancel()
	for w.AwaitTurn(ctx) == nil && f.step(ctx, noting) {
	}
}

// step makes or asks about one attempt, and notes what became of it; noting outlives ctx a little. It reports whether there
// is more to do.
func (f *following) step(ctx, noting context.Context) (more bool) {
	w := f.work
	switch attempt, begun, _ := w.LastAttempt(); {
	case f.open && w.IsExpired():
		return f.became(ctx, noting, pushed{state: backlog.Uncertain, reason: "whether WeChat took the answer could not be learned"})
	case f.open:
		return f.became(ctx, noting, f.server.ask(ctx, f.msg, attempt, begun))
	case w.IsExpired():
		_ = w.End(noting, backlog.Expired, "", "")
		return false
	case !f.server.mayPush(f.msg.GetAccount()):
		f.keep(noting)
		return false
	}
	p, err := f.attempt(ctx)
	switch {
	case err == nil:
		f.away = 0
		return f.became(ctx, noting, p)
	case ctx.Err() != nil || errors.Is(err, backlog.ErrTaken):
		return false
	case errors.Is(err, backlog.ErrRejected):
		f.fail(ctx, noting, backlog.Ending{State: backlog.Refused, Reason: err.Error()}, true)
		return false
	}
	f.away++
	f.server.stuck.note(f, f.away, "the store cannot be written to: "+err.Error())
	return rest(ctx, f.away, 0)
}

// attempt gives WeChat the next part, in one of the account's slots. Nothing that may take long is waited for in the slot.
// With an error nothing was sent.
func (f *following) attempt(ctx context.Context) (pushed, error) {
	release, err := f.server.pushes.acquire(ctx, f.msg.GetAccount())
	if err != nil {
		return pushed{}, err
	}
	defer release()
	limited, cancel := context.WithTimeout(ctx, beginTime)
	defer cancel()
	if err := f.work.BeginAttempt(limited, f.reply, len(f.parts), f.sent); err != nil {
		return pushed{}, err
	}
	id, _, _ := f.work.LastAttempt()
	return f.server.push(ctx, f.msg, f.parts[f.sent], id), nil
}

// became notes what became of an attempt, and waits if another is to be made. It reports whether there is more to do.
func (f *following) became(ctx, noting context.Context, p pushed) (more bool) {
	w := f.work
	f.open = p.state == backlog.Sending
	switch p.state {
	case backlog.Sending: // the call was cut off: oauthsvc knows more
		f.asked++
		f.server.stuck.note(f, f.asked, "what became of an attempt cannot be learned")
		return rest(ctx, f.asked, 0)
	case backlog.Sent:
		f.server.stuck.remove(f)
		if f.sent++; f.sent < len(f.parts) {
			return true
		}
		_ = w.End(noting, backlog.Sent, "", "")
	case backlog.Pending:
		if w.NoteRetry(noting, p.reason, p.errcode) != nil {
			return false
		}
		f.server.stuck.note(f, w.Retries(), p.reason)
		return rest(ctx, w.Retries(), p.after)
	case backlog.Refused:
		if !f.server.mayPush(f.msg.GetAccount()) { // that was why
			f.keep(noting)
			return false
		}
		f.fail(ctx, noting, backlog.Ending{State: p.state, Reason: p.reason, Errcode: p.errcode}, p.another)
	default:
		_ = w.End(noting, p.state, p.reason, p.errcode)
	}
	return false
}

// fail ends the message. If the user has read nothing of the answer, and another text may be sent, the user hears that none
// comes.
func (f *following) fail(ctx, noting context.Context, e backlog.Ending, another bool) {
	if another && f.sent == 0 && f.work.Apology() == nil {
		f.server.apologize(ctx, f.work, f.msg, false, e)
		return
	}
	_ = f.work.End(noting, e.State, e.Reason, e.Errcode)
}

// keep keeps the answer for the user's next message: the account may not send customer-service messages (platform.md F.3),
// and a passive reply needs no such right.
func (f *following) keep(ctx context.Context) {
	if f.sent > 0 || f.work.Apology() != nil { // by then the user asks something else
		_ = f.work.End(ctx, backlog.Refused, errNotAllowed.Error(), "")
		return
	}
	f.work.NoteFailure(errNotAllowed)
	f.server.keep(ctx, f.work, f.msg, f.reply)
}

var errNotAllowed = errors.New("the account may not send it, or this replier has no --oauth: it waits for the user's next message")
