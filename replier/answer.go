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
)

// Reply implements replier.v1.ReplierService.
func (s *Server) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	if debugs(ctx) {
		return s.traced(ctx, req)
	}
	return s.reply(ctx, req, nil)
}

// reply answers a call; by is nil where its caller does not debug.
func (s *Server) reply(ctx context.Context, req *replierv1.ReplyRequest, by *seen) (*replierv1.ReplyResponse, error) {
	msg := req.GetMessage()
	if msg == nil {
		return nil, service.NewError(codes.InvalidArgument, "", "message: missing, but required", nil, nil)
	}
	line := service.LineOf(ctx)
	line.Add(slog.String("account", msg.GetAccount()), slog.String("user", service.Short(msg.GetFromUserName())),
		slog.String("msg_type", service.Clip(msg.GetMsgType(), service.MaxName)))
	if e := msg.GetEvent(); e != nil {
		line.Add(slog.String("event", service.Clip(e.GetEvent(), service.MaxName)))
	}
	mayDefer := req.GetMayDefer() && handedOn(ctx) == 0
	sure := true
	if mayDefer {
		var resp *replierv1.ReplyResponse
		if resp, sure = s.known(ctx, line, msg); resp != nil {
			return resp, nil
		}
	}
	until, limited := ctx.Deadline()
	keeps := mayDefer && limited && s.ways.backlog != nil // time to store the message in
	if keeps {
		until = earlier(until, storeTime)
	}
	r, attempt := s.once.join(ctx, msg, s.decider(until, msg, mayDefer, by), func(r *run) { s.ended(msg, r) })
	by.joined(r, attempt)
	if attempt > 1 {
		line.Add(slog.Int("attempt", attempt))
	}
	ready, waiting := r.ended(), ctx
	if !ready {
		if keeps {
			var cancel context.CancelFunc
			waiting, cancel = context.WithDeadline(ctx, until)
			defer cancel()
		}
		ready = r.wait(waiting, mayDefer)
	}
	switch {
	case !ready && gone(ctx):
		return nil, status.FromContextError(ctx.Err()).Err()
	case mayDefer && (!ready || r.deferred() != nil):
		if resp := s.late(ctx, line, msg, r, attempt); resp != nil {
			by.answeredLate()
			return resp, nil
		}
	case !ready:
		return nil, status.FromContextError(waiting.Err()).Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	if attempt == 1 {
		s.count(line, r.decision)
	}
	return s.respond(line, s.outcome(line, r.decision), &replierv1.ReplyResponse{Reply: r.decision.reply, Unsure: !sure}), nil
}

// gone tells whether a caller whose time is over hears no answer any more: it left, or this process stood still.
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
	text, known, sure := s.ways.backlog.Known(ctx, msg)
	if !known {
		return nil, sure
	}
	return s.respond(line, "deferred", &replierv1.ReplyResponse{Deferred: true, Reply: textReply(text)}), true
}

// decider returns what works on a message for a caller who waits until a time, or where that is zero for ever. A user's
// message fetches the answer that was kept for the user; else the rules say what is said. by is nil where nobody debugs.
func (s *Server) decider(until time.Time, msg *wechatv1.Message, mayDefer bool, by *seen) decider {
	return func(ctx context.Context, r *run) decision {
		steps := by.begins(r)
		defer steps.begin("rules", "")()
		fetches := mayDefer && s.ways.backlog != nil && msg.GetEvent() == nil && s.ways.backlog.Waits(msg)
		if fetches && r == nil {
			return decision{asks: true}
		}
		if fetches {
			if d, waits := s.fetch(ctx, until, msg); waits {
				return d
			}
		}
		book := s.book.Value()
		rules := book.edition(msg.GetAccount()).rules
		var ask asker
		if r != nil {
			ask = steps.watch(rules, s.asker(until, r, book.account(msg.GetAccount()), mayDefer))
		}
		return rules.decide(ctx, msg, ask)
	}
}

// fetch returns the answer to an earlier message that the user waits for; or in time for the caller, what the user was
// told then. waits is false where the user waits for none.
func (s *Server) fetch(ctx context.Context, until time.Time, msg *wechatv1.Message) (d decision, waits bool) {
	ctx, cancel := before(ctx, until, spare)
	defer cancel()
	reply, text, waits := s.ways.backlog.Fetch(ctx, msg)
	if reply == nil {
		reply = textReply(text)
	}
	return decision{reply: reply, fetched: true}, waits
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

// asker returns what asks bots for a caller who waits until a time, or where that is zero for ever. A bot has the time that
// its rule gives it, or that which the way of a slow answer leaves; else the caller's.
func (s *Server) asker(until time.Time, r *run, a accountRules, mayDefer bool) asker {
	return func(ctx context.Context, f *forward, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		slow := s.ways.of(a, f.slow)
		limit := f.timeout
		if mayDefer {
			r.plan(slow, f.wait)
			limit = cmp.Or(limit, wants(slow))
		}
		if limit == 0 {
			var cancel context.CancelFunc
			ctx, cancel = before(ctx, until, 0)
			defer cancel()
		}
		return s.bots.ask(ctx, f, msg, cmp.Or(limit, maxTimeout))
	}
}

// outcome notes in the line which rule answered, and returns how.
func (s *Server) outcome(line *service.Line, d decision) string {
	rule := ""
	if d.rule != nil {
		rule = d.rule.name
	}
	line.Add(slog.String("rule", rule))
	return d.outcome()
}

// outcome returns how the message is answered.
func (d decision) outcome() string {
	switch {
	case d.fetched:
		return "fetched"
	case d.rule == nil:
		return "no_rule"
	case d.reply == nil:
		return "silent"
	}
	return "reply"
}

// count notes the rules that failed.
func (s *Server) count(line *service.Line, d decision) {
	if err := errors.Join(d.failed...); err != nil {
		line.Fail(err)
		s.replies.WithLabelValues("rule_failed").Add(float64(len(d.failed)))
	}
}
