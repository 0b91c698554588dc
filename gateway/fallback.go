package gateway

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// fallback handles messages that no replier answered in time: it stores them for the repliers that come back, or leaves WeChat
// without an answer, so that it sends them again.
type fallback struct {
	backlog *backlog.Backlog // nil: nothing is stored
	policy  accounts.Slow    // for accounts that have none
	busy    string           // see Config.BusyText

	mu       sync.Mutex // held from reading attempts to writing them
	attempts *otter.Cache[wechatv1.Key, int]
}

const (
	// storeTime is how long storing a message may take beyond the reply timeout. storeBy is when it ends at the latest, after the
	// callback's arrival: WeChat hangs up after 5 s.
	storeTime = 300 * time.Millisecond
	storeBy   = 4900 * time.Millisecond
	// lastAfter is the least age of a message at WeChat's last attempt, in seconds: two attempts were left without an answer for
	// 5 s each. A message that is older than lastBefore is late for another reason.
	lastAfter, lastBefore = 9, 30
	// maxCounted is the number of messages with a count of attempts.
	maxCounted = 10_000
)

func newFallback(cfg Config) *fallback {
	return &fallback{backlog: cfg.Backlog, policy: cfg.Slow, busy: strings.TrimSpace(cfg.BusyText), attempts: otter.Must(&otter.Options[wechatv1.Key, int]{
		MaximumSize: maxCounted,
	})}
}

// handleUnanswered stores, drops or holds a message that no replier had answered by a deadline. ctx is the callback's.
func (f *fallback) handleUnanswered(ctx context.Context, in *incoming, deadline time.Time) decision {
	if f.backlog != nil && f.backlog.AnsweredLocally(in.msg) {
		return alreadyAnswered
	}
	policy := f.policyFor(in.account)
	if !in.msg.EventReply().IsAnswerable() && policy.How != accounts.Drop && policy.How != accounts.Hold {
		policy = accounts.Slow{How: accounts.Push} // WeChat shows the user no text
	}
	switch policy.How {
	case accounts.Drop:
		return decision{outcome: outcomeDropped}
	case accounts.Push, accounts.Later:
		switch err := f.storeMessage(ctx, in, policy, deadline); {
		case err == nil:
			return decision{outcomeStored, wechatv1.TextReplyOf(policy.Text)}
		case errors.Is(err, backlog.ErrFull):
			service.LineOf(ctx).Fail(err)
			return f.busyReply(in.msg, outcomeGivenUp)
		default:
			service.LineOf(ctx).Fail(err)
		}
	}
	return f.holdOrGiveUp(ctx, in)
}

// storeMessage stores a message for a replier, a little beyond deadline if WeChat waits so long.
func (f *fallback) storeMessage(ctx context.Context, in *incoming, policy accounts.Slow, deadline time.Time) error {
	deadline = deadline.Add(storeTime)
	if latest := in.arrived.Add(storeBy); deadline.After(latest) {
		deadline = latest
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return f.backlog.Store(ctx, in.msg, in.arrived, policy.How == accounts.Later, policy.Text)
}

// alreadyAnswered is the decision for an attempt if another one got the answer, or the answer is delivered later.
var alreadyAnswered = decision{outcome: outcomeRepeated}

// answerOnce returns the answer to a message, unless the message is stored: then its answer is delivered later. If this gateway does
// not know of it and unsure is true, it looks into the store too.
func (f *fallback) answerOnce(ctx context.Context, msg *wechatv1.Message, answer decision, unsure bool) decision {
	if f.backlog == nil {
		return answer
	}
	if f.backlog.StoredLocally(msg) || unsure && f.backlog.IsStored(ctx, msg) {
		return alreadyAnswered
	}
	f.backlog.MarkAnswered(msg)
	return answer
}

// policyFor returns an account's policy for answers that are not ready, as far as this process can follow it.
func (f *fallback) policyFor(a *readyAccount) accounts.Slow {
	policy := a.Slow
	if policy.How == "" {
		policy = f.policy
	}
	if policy.How == "" && a.HasSecret {
		policy.How = accounts.Push
	}
	switch {
	case policy.How == "", policy.How != accounts.Drop && f.backlog == nil, policy.How == accounts.Push && !a.HasSecret:
		return accounts.Slow{How: accounts.Hold}
	case policy.How == accounts.Later && policy.Text == "":
		policy.Text = accounts.LaterText
	}
	return policy
}

// holdOrGiveUp leaves WeChat without an answer, so that it sends the message again. After the last attempt it tells the user that
// no answer will come.
func (f *fallback) holdOrGiveUp(ctx context.Context, in *incoming) decision {
	if ctx.Err() != nil || !f.recordAttempt(in.msg, in.signed) {
		return decision{outcome: outcomeHold}
	}
	if f.backlog != nil {
		f.backlog.MarkAnswered(in.msg)
	}
	return f.busyReply(in.msg, outcomeGivenUp)
}

// recordAttempt counts an attempt that gets no answer, and reports whether it is WeChat's last one for the message: by the count of
// this gateway or, as other gateways may have got the others, by the age of the message when WeChat signed the attempt.
func (f *fallback) recordAttempt(msg *wechatv1.Message, signed int64) (last bool) {
	key, ok := msg.Key()
	if !ok {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n, _ := f.attempts.GetIfPresent(key)
	f.attempts.Set(key, n+1)
	age := signed - msg.GetCreateTime()
	return n+1 >= wechatv1.MaxAttempts || age >= lastAfter && age <= lastBefore
}

// busyReply tells the user that no answer will come, if WeChat would show it.
func (f *fallback) busyReply(msg *wechatv1.Message, outcome callbackOutcome) decision {
	if !showsReply(msg) {
		return decision{outcome: outcome}
	}
	return decision{outcome, wechatv1.TextReplyOf(f.busy)}
}

// showsReply reports whether WeChat shows the reply to a message (platform.md C.13): a user sent it, or caused it on purpose.
func showsReply(msg *wechatv1.Message) bool {
	e := msg.GetEvent()
	if e == nil {
		return msg.GetMsgId() != 0
	}
	switch strings.ToLower(e.GetEvent()) {
	case "click", "scan", "scancode_waitmsg":
		return true
	}
	return false
}
