package replier

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

const (
	// typingAgain is how often the sign is renewed: WeChat shows it for 15 s (platform.md F.3).
	typingAgain = 12 * time.Second
	// typingCalls is how many calls may be in flight; beyond that users see no sign.
	typingCalls = 32
	typingTime  = 3 * time.Second
)

// typingSign shows users that an answer is being written. It is a courtesy: a failed call is not repeated. It needs the same right
// as a pushed answer, so its calls show whether the account has that right.
type typingSign struct {
	account oauthv1.AccountServiceClient // nil: no user sees a sign
	blocked *blockedAccounts
	free    *semaphore.Weighted
}

func newTypingSign(account oauthv1.AccountServiceClient, r *blockedAccounts) typingSign {
	return typingSign{account, r, semaphore.NewWeighted(typingCalls)}
}

// showUntilEnd shows the user of a message that its answer is being written, until the job ends. The answer itself ends the sign.
// first is closed after the first call of WeChat.
func (t *typingSign) showUntilEnd(ctx context.Context, j *job, msg *wechatv1.Message) (first <-chan struct{}) {
	ctx = service.DetachContext(ctx)
	done := make(chan struct{})
	var again func()
	again = func() { // no goroutine waits: there may be thousands of jobs
		if !j.hasEnded() && t.renewSign(ctx, msg) {
			time.AfterFunc(typingAgain, again)
		}
	}
	go func() {
		defer close(done)
		again()
	}()
	return done
}

// renewSign renews the sign, and reports whether WeChat shows it.
func (t *typingSign) renewSign(ctx context.Context, msg *wechatv1.Message) bool {
	if !t.free.TryAcquire(1) {
		return false
	}
	defer t.free.Release(1)
	ctx, cancel := context.WithTimeout(ctx, typingTime)
	defer cancel()
	_, err := t.account.SetTyping(ctx, &oauthv1.SetTypingRequest{Account: msg.GetAccount(), Openid: msg.GetFromUserName(), Typing: true})
	t.blocked.learnRight(msg.GetAccount(), err)
	return err == nil
}

// showTyping shows a user that the answer is being written, if it will be pushed, and returns the policy for the answer: if the
// account turns out not to have the right to push, the user's next message gets it. To learn that, showTyping waits for the
// first call of an account, for half of ctx's time at most.
func (s *Server) showTyping(ctx context.Context, j *job, msg *wechatv1.Message, policy accounts.Slow) accounts.Slow {
	if s.accountService == nil || policy.How != accounts.Push || msg.GetEvent() != nil {
		return policy
	}
	_, isKnown := s.slow.blocked.isBlocked(msg.GetAccount())
	j.typingOnce.Do(func() {
		if first := s.typing.showUntilEnd(ctx, j, msg); !isKnown {
			awaitHalf(ctx, first)
		}
	})
	if isBlocked, _ := s.slow.blocked.isBlocked(msg.GetAccount()); !isBlocked {
		return policy
	}
	policy = accounts.Slow{How: accounts.Later, Text: accounts.LaterText}
	j.setPolicy(policy, rules.MaxTimeout)
	return policy
}

// awaitHalf waits until done is closed, for half of ctx's time at most.
func awaitHalf(ctx context.Context, done <-chan struct{}) {
	deadline, ok := ctx.Deadline()
	if ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
