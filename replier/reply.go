package replier

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Reply implements replier.v1.ReplierService.
func (s *Server) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	if wantsTrace(ctx) {
		return s.replyTraced(ctx, req)
	}
	return s.reply(ctx, req, nil)
}

// call is one call of Reply. It lives on the stack: a job outlives the call that begins it, and must not keep it.
type call struct {
	server   *Server
	line     *service.Line
	msg      *wechatv1.Message
	mayDefer bool // the answer may come another way: see replierv1.Coordination
	isSure   bool // it is known whether the message is stored
	job      *job
	attempt  int        // from 1: how often the message came
	trace    *callTrace // nil unless the caller debugs
}

// reply answers a message: from the backlog if it is stored, else by the job that all attempts to send the message share.
func (s *Server) reply(ctx context.Context, req *replierv1.ReplyRequest, trace *callTrace) (*replierv1.ReplyResponse, error) {
	msg := req.GetMessage()
	if msg == nil {
		return nil, newError(codes.InvalidArgument, reasonInvalidRequest, "message: missing, but required")
	}
	c := call{server: s, line: service.LineOf(ctx), msg: msg, mayDefer: req.GetCoordination().GetMayDefer() && handedOn(ctx) == 0, trace: trace}
	c.noteMessage()
	if resp := c.answerStored(ctx); resp != nil {
		return resp, nil
	}
	limits := s.waitLimitsFor(ctx, c.mayDefer)
	c.joinJob(ctx, limits)
	isReady := c.awaitJob(ctx, limits)
	if !isReady && (!c.mayDefer || hasLeft(ctx)) {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if c.mayDefer && (!isReady || c.job.currentStoring() != nil) {
		if resp := c.answerLate(ctx); resp != nil {
			return resp, nil
		}
	}
	return c.answerReady()
}

// noteMessage logs the message's account, user and kind.
func (c *call) noteMessage() {
	c.line.Add(slog.String("account", c.msg.GetAccount()), slog.String("user", service.ShortOpenID(c.msg.GetFromUserName())),
		slog.String("msg_type", service.ClipText(c.msg.GetMsgType(), service.MaxName)))
	if e := c.msg.GetEvent(); e != nil {
		c.line.Add(slog.String("event", service.ClipText(e.GetEvent(), service.MaxName)))
	}
}

// answerStored answers for a message that is stored: its answer is delivered later. It returns nil if the message is not stored,
// as far as this process knows.
func (c *call) answerStored(ctx context.Context) *replierv1.ReplyResponse {
	c.isSure = true
	if !c.mayDefer || c.server.slow.backlog == nil {
		return nil
	}
	text, isStored, isSure := c.server.slow.backlog.Lookup(ctx, c.msg)
	c.isSure = isSure
	if !isStored {
		return nil
	}
	return c.respond(outcomeDeferred, stateDeferred, wechatv1.TextReplyOf(text))
}

// joinJob joins the message's job, or begins it.
func (c *call) joinJob(ctx context.Context, limits *waitLimits) {
	s, msg := c.server, c.msg // the job must not keep the call
	c.job, c.attempt = s.jobs.joinJob(ctx, msg, s.decideFor(ctx, limits, msg, c.trace), func(j *job) { s.jobEnded(msg, j, service.RequestID(ctx)) })
	if isRepeated(msg) {
		c.job.wasHeld.Store(true)
	}
	c.trace.noteJob(c.job, c.attempt)
	if c.attempt > 1 {
		c.line.Add(slog.Int("attempt", c.attempt))
	}
}

// A message that WeChat repeats is at least repeatedAfter old: an attempt was left without an answer for 5 s, less the clocks'
// difference (platform.md A.6). One that is older than repeatedBefore is late for another reason.
const repeatedAfter, repeatedBefore = 4 * time.Second, 30 * time.Second

// isRepeated reports whether another process left an attempt of a message without an answer, by the message's age.
func isRepeated(msg *wechatv1.Message) bool {
	age := time.Since(time.Unix(msg.GetCreateTime(), 0))
	return age >= repeatedAfter && age <= repeatedBefore
}

// awaitJob waits for the job, and reports whether it has ended. The rules that failed are logged once for each message: in the
// line of a caller that waited, else in a line of their own.
func (c *call) awaitJob(ctx context.Context, limits *waitLimits) (isReady bool) {
	if c.job.done == alreadyClosed {
		c.job.waiters.Add(-1)
		if c.attempt == 1 {
			c.server.reportInLine(c.line, c.job)
		}
		return true
	}
	isReady = c.job.hasEnded() || c.job.awaitEnd(ctx, limits)
	if isReady {
		c.server.reportInLine(c.line, c.job)
	}
	c.job.waiters.Add(-1)
	if !isReady && c.job.hasEnded() { // a moment ago: it may have left the report to this caller
		c.server.reportAlone(c.msg, c.job, service.RequestID(ctx))
	}
	return isReady
}

// answerReady answers with the job's decision.
func (c *call) answerReady() (*replierv1.ReplyResponse, error) {
	switch {
	case c.job.err != nil:
		return nil, c.job.err
	case c.mayDefer && readsBusyText(c.job, c.msg):
		return c.giveUp(), nil
	case c.job.decision.isCrowdedOut():
		return nil, newError(codes.ResourceExhausted, reasonTooManyCalls, errTooManyCalls.Error())
	}
	noteRule(c.line, c.job.decision)
	state := stateAnswered
	if !c.isSure {
		state = stateUnsure
	}
	return c.respond(c.job.decision.answerOutcome(), state, c.job.decision.Reply), nil
}

// readsBusyText reports whether the user of a message is told that no answer comes: because too many messages wait for bots, or
// because every rule failed after an attempt was left without an answer, so that the user waits.
func readsBusyText(j *job, msg *wechatv1.Message) bool {
	isWaiting := j.wasHeld.Load() && msg.GetEvent() == nil
	return j.hasRoute(routeNever) || j.decision.isCrowdedOut() || isWaiting && j.decision.hasOnlyFailures()
}

// answerSpare is kept of the caller's time for a response that says only that no answer is ready.
const answerSpare = 50 * time.Millisecond

// waitLimitsFor returns how long a caller waits; nil if it wants the answer itself.
func (s *Server) waitLimitsFor(ctx context.Context, mayDefer bool) *waitLimits {
	if !mayDefer {
		return nil
	}
	limits := &waitLimits{}
	if deadline, ok := ctx.Deadline(); ok {
		limits.answer = shortlyBefore(deadline, answerSpare)
		limits.store = limits.answer
		if s.slow.backlog != nil {
			limits.store = shortlyBefore(deadline, storeTime)
		}
	}
	return limits
}

// hasLeft reports whether a caller cannot receive an answer any more after its time is over: it left, or this process stood still.
func hasLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return errors.Is(ctx.Err(), context.Canceled) || ok && time.Since(deadline) > time.Second
}

// contextBefore returns a context that ends up to spare before a time, or with ctx if the time is zero.
func contextBefore(ctx context.Context, until time.Time, spare time.Duration) (context.Context, context.CancelFunc) {
	if until.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, shortlyBefore(until, spare))
}

// shortlyBefore returns the time spare before t, or less before it if t is near.
func shortlyBefore(t time.Time, spare time.Duration) time.Time {
	return t.Add(-min(spare, time.Until(t)/8))
}
