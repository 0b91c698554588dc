package replier

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// Reply implements replier.v1.ReplierService.
func (s *Server) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	if debugs(ctx) {
		return s.traced(ctx, req)
	}
	return s.reply(ctx, req, nil)
}

// reply answers a call; trace is nil if its caller does not debug.
func (s *Server) reply(ctx context.Context, req *replierv1.ReplyRequest, trace *seen) (*replierv1.ReplyResponse, error) {
	msg := req.GetMessage()
	if msg == nil {
		return nil, &service.RPCError{Code: codes.InvalidArgument, Message: "message: missing, but required"}
	}
	line := service.LineOf(ctx)
	line.Add(slog.String("account", msg.GetAccount()), slog.String("user", service.Short(msg.GetFromUserName())),
		slog.String("msg_type", service.Clip(msg.GetMsgType(), service.MaxName)))
	if e := msg.GetEvent(); e != nil {
		line.Add(slog.String("event", service.Clip(e.GetEvent(), service.MaxName)))
	}
	mayDefer := req.GetCoordination().GetMayDefer() && handedOn(ctx) == 0
	sure := true
	if mayDefer {
		var resp *replierv1.ReplyResponse
		if resp, sure = s.known(ctx, line, msg); resp != nil {
			return resp, nil
		}
	}
	by := s.limits(ctx, mayDefer)
	r, attempt := s.once.join(ctx, msg, s.decider(ctx, by, msg, trace), func(r *run) { s.ended(msg, r, service.RequestID(ctx)) })
	trace.joined(r, attempt)
	if attempt > 1 {
		line.Add(slog.Int("attempt", attempt))
	}
	ready := s.await(ctx, line, msg, r, attempt, by)
	switch {
	case !ready && gone(ctx):
		return nil, status.FromContextError(ctx.Err()).Err()
	case mayDefer && (!ready || r.deferred() != nil):
		if resp := s.late(ctx, line, msg, r, attempt); resp != nil {
			trace.answeredLate()
			return resp, nil
		}
	case !ready:
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	switch d := r.decision; {
	case r.err != nil:
		return nil, r.err
	case mayDefer && readsBusyText(r, msg):
		return s.giveUp(line, r), nil
	case d.crowdedOut():
		return nil, &service.RPCError{Code: codes.ResourceExhausted, Message: errTooManyCalls.Error()}
	default:
		state := stateAnswered
		if !sure {
			state = stateUnsure
		}
		return s.respond(line, s.outcome(line, d), state, d.Reply), nil
	}
}

// readsBusyText reports whether the user of a message is told that no answer comes: because too many messages wait for bots, or
// because every rule failed after an attempt of WeChat's was left without an answer, so that the user waits.
func readsBusyText(r *run, msg *wechatv1.Message) bool {
	waited := r.held.Load() && msg.GetEvent() == nil
	return r.isGivenUp() || r.decision.crowdedOut() || waited && r.decision.hasOnlyFailures()
}

// answerSpare is kept of the caller's time for the way of an answer that says only that none is ready.
const answerSpare = 50 * time.Millisecond

// limits returns how long a caller waits; nil if it must not be told that the answer is not ready.
func (s *Server) limits(ctx context.Context, mayDefer bool) *waitLimits {
	if !mayDefer {
		return nil
	}
	by := &waitLimits{}
	if deadline, ok := ctx.Deadline(); ok {
		by.answer = earlier(deadline, answerSpare)
		by.store = by.answer
		if s.ways.backlog != nil {
			by.store = earlier(deadline, storeTime)
		}
	}
	return by
}

// await waits for the end of a run, and reports whether it has ended. The rules that failed are noted once for each message:
// in the line of a caller who waited, else in a line of their own.
func (s *Server) await(ctx context.Context, line *service.Line, msg *wechatv1.Message, r *run, attempt int, by *waitLimits) (ready bool) {
	if r.done == past {
		r.waiting.Add(-1)
		if attempt == 1 {
			s.reportIn(line, r)
		}
		return true
	}
	ready = r.ended() || r.wait(ctx, by)
	if ready {
		s.reportIn(line, r)
	}
	r.waiting.Add(-1)
	if !ready && r.ended() { // in this moment: it may have left the report to this caller
		s.report(msg, r, service.RequestID(ctx))
	}
	return ready
}

// gone reports whether a caller whose time is over hears no answer any more: it left, or this process stood still.
func gone(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return errors.Is(ctx.Err(), context.Canceled) || ok && time.Since(deadline) > time.Second
}

// known answers an attempt to send a message that another process stored; nil where none did, as far as this one could
// learn: else sure is false.
func (s *Server) known(ctx context.Context, line *service.Line, msg *wechatv1.Message) (resp *replierv1.ReplyResponse, sure bool) {
	if s.ways.backlog == nil {
		return nil, true
	}
	text, known, sure := s.ways.backlog.Lookup(ctx, msg)
	if !known {
		return nil, sure
	}
	return s.respond(line, "deferred", stateDeferred, textReply(text)), true
}

// decider returns what works on a message for a caller who waits while ctx lasts, with by nil for the whole answer. A user's
// message fetches the answer that was kept for the user; else the rules say what is said. trace is nil if nobody debugs.
func (s *Server) decider(ctx context.Context, by *waitLimits, msg *wechatv1.Message, trace *seen) decider {
	until, _ := ctx.Deadline()
	return func(ctx context.Context, r *run) decision {
		steps := trace.begins(r)
		defer steps.begin("rules", "")()
		fetches := by != nil && s.ways.backlog != nil && msg.GetEvent() == nil && s.ways.backlog.FetchesAnswer(msg)
		if fetches && r == nil {
			return decision{Decision: rules.Decision{Asks: true}}
		}
		if fetches {
			if d, waits := s.fetch(ctx, by.store, msg); waits {
				return d
			}
		}
		book := s.book.Value()
		var ask rules.ForwardFunc
		if r != nil {
			ask = steps.watch(s.asker(until, r, book.account(msg.GetAccount()), by != nil))
		}
		return decision{Decision: book.edition(msg.GetAccount()).rules.Decide(ctx, msg, ask)}
	}
}

// fetch returns the answer to an earlier message that the user waits for; or in time for the caller, what the user was
// told then. waits is false where the user waits for none.
func (s *Server) fetch(ctx context.Context, until time.Time, msg *wechatv1.Message) (d decision, waits bool) {
	ctx, cancel := before(ctx, until, spare)
	defer cancel()
	reply, text, waits := s.ways.backlog.FetchAnswer(ctx, msg)
	if reply == nil {
		reply = textReply(text)
	}
	return decision{Decision: rules.Decision{Reply: reply}, fetched: true}, waits
}

// before returns a context that ends a little before a time, or with ctx where that is zero.
func before(ctx context.Context, until time.Time, little time.Duration) (context.Context, context.CancelFunc) {
	if until.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, earlier(until, little))
}

// earlier returns a time that is a little before another.
func earlier(t time.Time, little time.Duration) time.Time {
	return t.Add(-min(little, time.Until(t)/8))
}

// asker returns what asks bots for a caller who waits until a time, or if that is zero for ever. A bot has the time that
// its rule gives it, or that which the way of a slow answer leaves; else the caller's.
func (s *Server) asker(until time.Time, r *run, a accountRules, mayDefer bool) rules.ForwardFunc {
	return func(ctx context.Context, rule *rules.Rule, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		release, err := s.calls.reserve(msg, r.takenOver)
		if err != nil {
			return nil, err
		}
		defer release()
		f := rule.Forward
		slow := quietSlow(s.ways.of(a, f.Slow), msg)
		limit := f.Timeout
		if mayDefer {
			r.setPlan(slow, f.Wait)
			limit = cmp.Or(limit, wants(slow))
		}
		if limit == 0 {
			var cancel context.CancelFunc
			ctx, cancel = before(ctx, until, 0)
			defer cancel()
		}
		return s.bots.ask(ctx, f, msg, cmp.Or(limit, rules.MaxTimeout))
	}
}

// outcome notes in the line which rule answered, and returns how.
func (s *Server) outcome(line *service.Line, d decision) string {
	rule := ""
	if d.Rule != nil {
		rule = d.Rule.Name
	}
	line.Add(slog.String("rule", rule))
	if d.Unread {
		line.Add(slog.Bool("unread", true))
	}
	if d.Surplus > 0 {
		line.Add(slog.Int("articles_left_out", d.Surplus))
	}
	return d.outcome()
}

// outcome returns how the message is answered.
func (d decision) outcome() string {
	switch {
	case d.fetched:
		return "fetched"
	case d.Rule == nil:
		return "no_rule"
	case d.Reply == nil:
		return "silent"
	}
	return "reply"
}
