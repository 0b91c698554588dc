package replier

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

const (
	// maxAttempts is how often WeChat sends a message (platform.md A.6).
	maxAttempts = 3
	// holdTime is how long a bot has where WeChat's third attempt gets the answer: that ends about then.
	holdTime = 14 * time.Second
	// storeTime is kept of the caller's time, at most, to store the message in.
	storeTime = 400 * time.Millisecond
	// storePatience is how long an attempt to store a message goes on.
	storePatience = 10 * time.Second
)

// ways tells what becomes of an account's answers that are not ready while WeChat waits.
type ways struct {
	usual    accounts.Slow // where neither rule nor account says
	backlog  *backlog.Backlog
	pushes   bool // there is an oauthsvc
	refusals refusals
}

// of returns the way of an answer, as rule and account say, as far as it can be gone: without an AppSecret nothing can be
// pushed, without a store nothing can be kept.
func (w *ways) of(a accountRules, rule accounts.Slow) accounts.Slow {
	slow := rule
	if slow.How == "" {
		slow = a.slow
	}
	if slow.How == "" {
		slow = w.usual
	}
	refused, _ := w.refusals.recent(a.name)
	pushable := w.backlog != nil && w.pushes && a.hasSecret && !refused
	switch {
	case slow.How == "" && pushable:
		slow.How = accounts.Push
	case slow.How == "", slow.How == accounts.Push && !pushable, slow.How == accounts.Later && w.backlog == nil:
		return accounts.Slow{How: accounts.Hold}
	}
	if slow.How == accounts.Later {
		slow.Text = cmp.Or(slow.Text, accounts.LaterText)
	}
	return slow
}

// wants returns how long a bot may work on an answer that goes that way; 0: while its caller waits.
func wants(slow accounts.Slow) time.Duration {
	switch slow.How {
	case accounts.Push, accounts.Later:
		return rules.MaxTimeout
	case accounts.Hold:
		return holdTime
	}
	return 0
}

// late answers a callback whose answer is not ready, while WeChat still waits; nil where it is ready by now.
func (s *Server) late(ctx context.Context, line *service.Line, msg *wechatv1.Message, r *run, attempt int) *replierv1.ReplyResponse {
	slow := r.plan()
	if slow.How == "" { // no bot: this process is overloaded
		slow = quietSlow(s.ways.of(s.book.Value().account(msg.GetAccount()), accounts.Slow{}), msg)
	}
	switch slow.How {
	case accounts.Push, accounts.Later:
		return s.store(ctx, line, msg, r, s.showTyping(ctx, r, msg, slow), attempt)
	case accounts.Drop:
		return s.respond(line, "dropped", stateAnswered, nil)
	}
	return s.hold(line, r, attempt)
}

// hold has WeChat send the message again, unless this was its last attempt.
func (s *Server) hold(line *service.Line, r *run, attempt int) *replierv1.ReplyResponse {
	if attempt < maxAttempts {
		r.held.Store(true)
		return s.respond(line, "hold", stateHold, nil)
	}
	return s.giveUp(line, r)
}

// giveUp says that no answer will come, unless one follows already, and ends the work on it.
func (s *Server) giveUp(line *service.Line, r *run) *replierv1.ReplyResponse {
	if r.goes(never) {
		r.abort()
		return s.respond(line, "given_up", stateGivenUp, nil)
	}
	return s.respond(line, "deferred", stateDeferred, nil)
}

// unstored answers for a message that could not be stored in time. Storing it may go on, and others may store it.
func (s *Server) unstored(line *service.Line, r *run, err error) *replierv1.ReplyResponse {
	line.Fail(err)
	r.held.Store(true)
	r.doubt.Store(true)
	return s.respond(line, "hold", stateUnstored, nil)
}

// What a caller has to do.
const (
	stateAnswered = replierv1.ReplyState_REPLY_STATE_UNSPECIFIED
	stateUnsure   = replierv1.ReplyState_REPLY_STATE_UNSURE
	stateHold     = replierv1.ReplyState_REPLY_STATE_HOLD
	stateUnstored = replierv1.ReplyState_REPLY_STATE_UNSTORED
	stateDeferred = replierv1.ReplyState_REPLY_STATE_DEFERRED
	stateGivenUp  = replierv1.ReplyState_REPLY_STATE_GIVEN_UP
)

// respond counts and logs the outcome, and returns the response.
func (s *Server) respond(line *service.Line, outcome string, state replierv1.ReplyState, reply *wechatv1.Reply) *replierv1.ReplyResponse {
	s.replies.WithLabelValues(outcome).Inc()
	line.Add(slog.String("outcome", outcome))
	return newResponse(state, reply)
}

func newResponse(state replierv1.ReplyState, reply *wechatv1.Reply) *replierv1.ReplyResponse {
	resp := &replierv1.ReplyResponse{Reply: reply}
	if state != stateAnswered { // as a bot would say it
		resp.Coordination = &replierv1.Coordination{State: state}
	}
	return resp
}

// store stores the message, so that its answer follows. ctx has a little time left for that.
func (s *Server) store(ctx context.Context, line *service.Line, msg *wechatv1.Message, r *run, slow accounts.Slow, attempt int) *replierv1.ReplyResponse {
	storing := r.stored(func() (*backlog.Work, error) {
		ctx, cancel := context.WithTimeout(service.Detach(ctx), storePatience)
		defer cancel()
		defer context.AfterFunc(s.once.ctx, cancel)()
		return s.ways.backlog.Defer(ctx, msg, r.begun, slow.How == accounts.Later, slow.Text)
	})
	if storing == nil {
		return nil
	}
	select {
	case <-storing.done:
	case <-r.done: // the answer was faster
	case <-ctx.Done():
		return s.unstored(line, r, s.ways.backlog.ExplainError(errNotInTime))
	}
	if r.ended() && r.goes(inTime) {
		return nil
	}
	select {
	case <-storing.done:
	case <-ctx.Done():
		return s.unstored(line, r, s.ways.backlog.ExplainError(errNotInTime))
	}
	err := storing.err
	switch {
	case err == nil:
		line.Add(slog.String("delivery", storing.work.ID()))
		fallthrough
	case errors.Is(err, backlog.ErrTaken):
		return s.respond(line, "deferred", stateDeferred, textReply(slow.Text))
	case errors.Is(err, backlog.ErrFull):
		line.Fail(err)
		return s.giveUp(line, r)
	case errors.Is(err, backlog.ErrRejected): // it cannot be stored later either
		line.Fail(err)
		r.setPlan(accounts.Slow{How: accounts.Hold}, rules.MaxTimeout)
		return s.hold(line, r, attempt)
	}
	return s.unstored(line, r, err)
}

var errNotInTime = errors.New("the message could not be stored in time")

// textReply returns a text as a reply; nil for none.
func textReply(text string) *wechatv1.Reply {
	if text == "" {
		return nil
	}
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: text}}}
}

// quietSlow returns what becomes of a slow answer to a message. If nobody should read an answer to it, the user reads no text
// meanwhile either, and waits for nothing.
func quietSlow(slow accounts.Slow, msg *wechatv1.Message) accounts.Slow {
	if msg.EventReply().Answerable() {
		return slow
	}
	slow.Text = ""
	if slow.How == accounts.Later {
		slow.How = accounts.Push
	}
	return slow
}
