package oauthsvc

import (
	"sync"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Codes that WeChat refuses cost a call each, and anybody can make them up. If an account has too many of them in a second,
// its exchanges are refused for a moment. With these limits two replicas stay below the 50,000 calls a minute that WeChat
// allows (platform.md E.2), while a single address is far from them: the gateway limits each address first.
const (
	refusedCodesPerSecond = 300
	refusedCodesAtOnce    = 3000
)

// codeBrake limits the exchanges of accounts that had many codes refused. The zero codeBrake is ready to use. It is safe for
// concurrent use.
type codeBrake struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by AppID
}

func (b *codeBrake) limiterOf(a accounts.Account) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.limiters[a.AppID]
	if l == nil {
		if b.limiters == nil {
			b.limiters = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(refusedCodesPerSecond, refusedCodesAtOnce)
		b.limiters[a.AppID] = l
	}
	return l
}

// checkAccount returns why no code of the account may be exchanged now, or nil.
func (b *codeBrake) checkAccount(a accounts.Account) *wechatapi.Failure {
	if b.limiterOf(a).Tokens() >= 1 {
		return nil
	}
	const reason = oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED
	return &wechatapi.Failure{Code: codes.ResourceExhausted, Reason: reason, RetryAfter: wechatapi.RetryAfter(reason),
		Message: "too many codes of this account were refused in a short time; try again in a moment"}
}

// countRefused counts a code that WeChat refused.
func (b *codeBrake) countRefused(a accounts.Account) { b.limiterOf(a).Allow() }
