package replier

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// typingAgain is when the sign is renewed: WeChat shows it 15 s (platform.md F.3).
	typingAgain = 12 * time.Second
	// typingCalls is how many calls may be under way; beyond that users see no sign.
	typingCalls = 32
	typingTime  = 3 * time.Second
)

// typing shows users that an answer is being written. It is a courtesy: what fails is not tried again.
type typing struct {
	account oauthv1.AccountServiceClient // nil: nobody sees a sign
	free    *semaphore.Weighted
}

func newTyping(account oauthv1.AccountServiceClient) typing {
	return typing{account, semaphore.NewWeighted(typingCalls)}
}

// show shows the user of a message that its answer is being written, until the run ends. The answer itself ends the sign.
func (t *typing) show(ctx context.Context, r *run, msg *wechatv1.Message, slow accounts.Slow) {
	if t.account == nil || slow.How != accounts.Push || msg.GetEvent() != nil {
		return
	}
	ctx = service.Detach(ctx)
	var again func()
	again = func() { // no goroutine waits: there may be thousands of runs
		if !r.ended() && t.set(ctx, msg) {
			time.AfterFunc(typingAgain, again)
		}
	}
	go again()
}

// set renews the sign; false where WeChat does not show it.
func (t *typing) set(ctx context.Context, msg *wechatv1.Message) bool {
	if !t.free.TryAcquire(1) {
		return false
	}
	defer t.free.Release(1)
	ctx, cancel := context.WithTimeout(ctx, typingTime)
	defer cancel()
	_, err := t.account.SetTyping(ctx, &oauthv1.SetTypingRequest{Account: msg.GetAccount(), Openid: msg.GetFromUserName(), Typing: true})
	return err == nil
}
