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
	// holdTime is how long a bot has if WeChat's last attempt gets the answer: that ends about then.
	holdTime = 14 * time.Second
	// storeTime is kept of the caller's time, at most, to store the message in.
	storeTime = 400 * time.Millisecond
	// storePatience is how long storing a message goes on after its caller was told to hold.
	storePatience = 10 * time.Second
)

// slowPolicies decides about answers that are not ready while WeChat waits.
type slowPolicies struct {
	fallback accounts.Slow // if neither rule nor account says
	backlog  *backlog.Backlog
	hasOAuth bool // there is an oauthsvc
	blocked  blockedAccounts
}

// policyFor returns the policy of rule or account for an answer, as far as it is possible: nothing can be pushed without an
// AppSecret, and nothing kept without a store.
func (p *slowPolicies) policyFor(account accountSettings, ofRule accounts.Slow) accounts.Slow {
	policy := ofRule
	if policy.How == "" {
		policy = account.slow
	}
	if policy.How == "" {
		policy = p.fallback
	}
	isBlocked, _ := p.blocked.isBlocked(account.name)
	canPush := p.backlog != nil && p.hasOAuth && account.hasSecret && !isBlocked
	switch {
	case policy.How == "" && canPush:
		policy.How = accounts.Push
	case policy.How == "", policy.How == accounts.Push && !canPush, policy.How == accounts.Later && p.backlog == nil:
		return accounts.Slow{How: accounts.Hold}
	}
	if policy.How == accounts.Later {
		policy.Text = cmp.Or(policy.Text, accounts.LaterText)
	}
	return policy
}

// quietPolicy returns the policy for a slow answer to a message. If no user should read an answer to it, the user reads no text
// meanwhile either, and waits for nothing.
func quietPolicy(policy accounts.Slow, msg *wechatv1.Message) accounts.Slow {
	if msg.EventReply().IsAnswerable() {
		return policy
	}
	policy.Text = ""
	if policy.How == accounts.Later {
		policy.How = accounts.Push
	}
	return policy
}

// botTime returns how long a bot may work under a policy; 0: as long as its caller waits.
func botTime(policy accounts.Slow) time.Duration {
	switch policy.How {
	case accounts.Push, accounts.Later:
		return rules.MaxTimeout
	case accounts.Hold:
		return holdTime
	}
	return 0
}

// answerLate answers for a job that is not ready while WeChat still waits. It returns nil if the answer is ready by now.
func (c *call) answerLate(ctx context.Context) *replierv1.ReplyResponse {
	policy := c.job.currentPolicy()
	if policy.How == "" { // no bot: this process is overloaded
		policy = quietPolicy(c.server.slow.policyFor(c.server.liveRules.Value().accountOf(c.msg.GetAccount()), accounts.Slow{}), c.msg)
	}
	var resp *replierv1.ReplyResponse
	switch policy.How {
	case accounts.Push, accounts.Later:
		resp = c.storeMessage(ctx, c.server.showTyping(ctx, c.job, c.msg, policy))
	case accounts.Drop:
		resp = c.respond(outcomeDropped, stateAnswered, nil)
	default:
		resp = c.holdMessage()
	}
	if resp != nil {
		c.trace.noteLate()
	}
	return resp
}

// holdMessage makes WeChat send the message again, unless this was its last attempt.
func (c *call) holdMessage() *replierv1.ReplyResponse {
	if c.attempt >= wechatv1.MaxAttempts {
		return c.giveUp()
	}
	c.job.wasHeld.Store(true)
	return c.respond(outcomeHold, stateHold, nil)
}

// giveUp says that no answer will come, and ends the work on it, unless an answer is delivered already.
func (c *call) giveUp() *replierv1.ReplyResponse {
	if !c.job.claimRoute(routeNever) {
		return c.respond(outcomeDeferred, stateDeferred, nil)
	}
	c.job.abortWork()
	return c.respond(outcomeGivenUp, stateGivenUp, nil)
}

// holdUnstored answers for a message that could not be stored in time. Storing it may go on, and the gateway may store it.
func (c *call) holdUnstored(err error) *replierv1.ReplyResponse {
	c.line.Fail(err)
	c.job.wasHeld.Store(true)
	c.job.answeredElsewhere.Store(true)
	return c.respond(outcomeHold, stateUnstored, nil)
}

var errNotInTime = errors.New("the message could not be stored in time")

// storeMessage stores the message, so that its answer is delivered later. ctx leaves a little time for that. It returns nil if
// the answer is ready by now.
func (c *call) storeMessage(ctx context.Context, policy accounts.Slow) *replierv1.ReplyResponse {
	storing := c.startStoring(ctx, policy)
	if storing == nil {
		return nil
	}
	select {
	case <-storing.done:
	case <-c.job.done: // the answer was faster
	case <-ctx.Done():
		return c.holdUnstored(c.server.slow.backlog.ExplainError(errNotInTime))
	}
	if c.job.hasEnded() && c.job.claimRoute(routeInTime) {
		return nil
	}
	select {
	case <-storing.done:
	case <-ctx.Done():
		return c.holdUnstored(c.server.slow.backlog.ExplainError(errNotInTime))
	}
	return c.answerAfterStoring(storing, policy)
}

// startStoring begins to store the message, unless that is under way already.
func (c *call) startStoring(ctx context.Context, policy accounts.Slow) *storeAttempt {
	s, msg, arrived := c.server, c.msg, c.job.begun // storing may outlive the call
	return c.job.startStoring(func() (*backlog.Work, error) {
		ctx, cancel := context.WithTimeout(service.DetachContext(ctx), storePatience)
		defer cancel()
		defer context.AfterFunc(s.jobs.ctx, cancel)()
		return s.slow.backlog.Defer(ctx, msg, arrived, policy.How == accounts.Later, policy.Text)
	})
}

// answerAfterStoring answers for a message when storing it has ended.
func (c *call) answerAfterStoring(storing *storeAttempt, policy accounts.Slow) *replierv1.ReplyResponse {
	err := storing.err
	switch {
	case err == nil:
		c.line.Add(slog.String("delivery", storing.work.ID()))
		fallthrough
	case errors.Is(err, backlog.ErrTaken):
		return c.respond(outcomeDeferred, stateDeferred, wechatv1.TextReplyOf(policy.Text))
	case errors.Is(err, backlog.ErrFull):
		c.line.Fail(err)
		return c.giveUp()
	case errors.Is(err, backlog.ErrRejected): // it cannot be stored later either
		c.line.Fail(err)
		c.job.setPolicy(accounts.Slow{How: accounts.Hold}, rules.MaxTimeout)
		return c.holdMessage()
	}
	return c.holdUnstored(err)
}
