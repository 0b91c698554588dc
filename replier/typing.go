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
	// typingAgain is when the sign is renewed: WeChat shows it 15 s (platform.md F.3).
	typingAgain = 12 * time.Second
	// typingCalls is how many calls may be under way; beyond that users see no sign.
	typingCalls = 32
	typingTime  = 3 * time.Second
)

// typing shows users that an answer is being written. It is a courtesy: what fails is not tried again. But it needs the same
// right as the answer, so that its calls show whether the account has it.
type typing struct {
	account  oauthv1.AccountServiceClient // nil: nobody sees a sign
	refusals *refusals
	free     *semaphore.Weighted
}

func newTyping(account oauthv1.AccountServiceClient, r *refusals) typing {
	return typing{account, r, semaphore.NewWeighted(typingCalls)}
}

// show shows the user of a message that its answer is being written, until the run ends. The answer itself ends the sign.
// first is closed after the first call.
func (t *typing) show(ctx context.Context, r *run, msg *wechatv1.Message) (first <-chan struct{}) {
	ctx = service.Detach(ctx)
	done := make(chan struct{})
	var again func()
	again = func() { // no goroutine waits: there may be thousands of runs
		if !r.ended() && t.set(ctx, msg) {
			time.AfterFunc(typingAgain, again)
		}
	}
	go func() {
		defer close(done)
		again()
	}()
	return done
}

// set renews the sign, and reports whether WeChat shows it.
func (t *typing) set(ctx context.Context, msg *wechatv1.Message) bool {
	if !t.free.TryAcquire(1) {
		return false
	}
	defer t.free.Release(1)
	ctx, cancel := context.WithTimeout(ctx, typingTime)
	defer cancel()
	_, err := t.account.SetTyping(ctx, &oauthv1.SetTypingRequest{Account: msg.GetAccount(), Openid: msg.GetFromUserName(), Typing: true})
	t.refusals.learn(msg.GetAccount(), err)
	return err == nil
}

// showTyping shows a user that the answer is being written, if it will be pushed. It returns what becomes of the answer: if the
// account may not push, the user's next message gets it. To learn that, the first call of an account is waited for, for half of
// ctx's time at most.
func (s *Server) showTyping(ctx context.Context, r *run, msg *wechatv1.Message, slow accounts.Slow) accounts.Slow {
	if s.account == nil || slow.How != accounts.Push || msg.GetEvent() != nil {
		return slow
	}
	_, known := s.ways.refusals.recent(msg.GetAccount())
	r.typing.Do(func() {
		if first := s.typing.show(ctx, r, msg); !known {
			awaitHalf(ctx, first)
		}
	})
	if refused, _ := s.ways.refusals.recent(msg.GetAccount()); !refused {
		return slow
	}
	slow = accounts.Slow{How: accounts.Later, Text: accounts.LaterText}
	r.setPlan(slow, rules.MaxTimeout)
	return slow
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
