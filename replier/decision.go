package replier

import (
	"cmp"
	"context"
	"errors"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// decision is the answer to one message: by the rules, or an answer that was ready before.
type decision struct {
	rules.Decision
	fetched bool // no rule was asked: the user waited for the answer to an earlier message
}

// hasOnlyFailures reports whether rules matched and none could answer.
func (d decision) hasOnlyFailures() bool { return d.Rule == nil && len(d.Failed) > 0 }

// isCrowdedOut reports whether nothing was said because too many messages wait for bots.
func (d decision) isCrowdedOut() bool {
	return d.Rule == nil && errors.Is(errors.Join(d.Failed...), errTooManyCalls)
}

// answerOutcome returns the outcome of a message that is answered in time.
func (d decision) answerOutcome() outcome {
	switch {
	case d.fetched:
		return outcomeFetched
	case d.Rule == nil:
		return outcomeNoRule
	case d.Reply == nil:
		return outcomeSilent
	}
	return outcomeReply
}

// decideFunc decides the answer to a message. If j is nil it must not wait: it decides at once, or says that a bot has to be
// asked.
type decideFunc func(ctx context.Context, j *job) decision

// decideFor returns the decideFunc of a caller that waits while ctx lasts; limits is nil if the caller wants the answer itself. A
// user's message fetches the answer that was kept for the user; else the rules decide. trace is nil unless the caller debugs.
func (s *Server) decideFor(ctx context.Context, limits *waitLimits, msg *wechatv1.Message, trace *callTrace) decideFunc {
	until, _ := ctx.Deadline()
	return func(ctx context.Context, j *job) decision {
		steps := trace.startSteps(j)
		defer steps.startStep(stepRules, "")()
		fetches := limits != nil && s.slow.backlog != nil && msg.GetEvent() == nil && s.slow.backlog.FetchesAnswer(msg)
		if fetches && j == nil {
			return decision{Decision: rules.Decision{Asks: true}}
		}
		if fetches {
			if d, isWaiting := s.fetchAnswer(ctx, limits.store, msg); isWaiting {
				return d
			}
		}
		sets := s.liveRules.Value()
		var ask rules.ForwardFunc
		if j != nil {
			ask = steps.watchForwards(s.forwardFor(until, j, sets.accountOf(msg.GetAccount()), limits != nil))
		}
		return decision{Decision: sets.ruleSetOf(msg.GetAccount()).rules.Decide(ctx, msg, ask)}
	}
}

// fetchAnswer returns the answer to an earlier message that the user waits for. If it is not ready at until, the user is told
// again to wait. isWaiting is false if the user waits for no answer.
func (s *Server) fetchAnswer(ctx context.Context, until time.Time, msg *wechatv1.Message) (d decision, isWaiting bool) {
	ctx, cancel := contextBefore(ctx, until, fallbackSpare)
	defer cancel()
	reply, text, isWaiting := s.slow.backlog.FetchAnswer(ctx, msg)
	if reply == nil {
		reply = wechatv1.TextReplyOf(text)
	}
	return decision{Decision: rules.Decision{Reply: reply}, fetched: true}, isWaiting
}

// forwardFor returns the function that asks the bots of rules, for a caller that waits until a time; zero: without a limit. A bot
// has the time of its rule, else that of the slow policy, else the caller's.
func (s *Server) forwardFor(until time.Time, j *job, account accountSettings, mayDefer bool) rules.ForwardFunc {
	return func(ctx context.Context, rule *rules.Rule, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		release, err := s.calls.reserveRoom(msg, j.takenOver)
		if err != nil {
			return nil, err
		}
		defer release()
		f := rule.Forward
		policy := quietPolicy(s.slow.policyFor(account, f.Slow), msg)
		limit := f.Timeout
		if mayDefer {
			j.setPolicy(policy, f.Wait)
			limit = cmp.Or(limit, botTime(policy))
		}
		if limit == 0 {
			var cancel context.CancelFunc
			ctx, cancel = contextBefore(ctx, until, 0)
			defer cancel()
		}
		return s.bots.askBot(ctx, f, msg, cmp.Or(limit, rules.MaxTimeout))
	}
}
