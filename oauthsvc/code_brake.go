package oauthsvc

import (
	"sync"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Codes that WeChat refuses cost a call each, and anybody can make them up. An account may have so many of them a second
// before its exchanges are refused for a moment: two replicas stay below the 50,000 calls a minute that WeChat allows (platform.md E.2),
// while one address alone is far from it. The gateway has a brake for each address, which comes first.
const (
	refusedCodesPerSecond = 300
	refusedCodesAtOnce    = 3000
)

// codeBrake slows down the exchanges of accounts whose codes WeChat refuses. The zero codeBrake is ready. It is safe for
// concurrent use.
type codeBrake struct {
	mu        sync.Mutex
	byAccount map[string]*rate.Limiter // by AppID
}

func (b *codeBrake) limiter(a accounts.Account) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.byAccount[a.AppID]
	if l == nil {
		if b.byAccount == nil {
			b.byAccount = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(refusedCodesPerSecond, refusedCodesAtOnce)
		b.byAccount[a.AppID] = l
	}
	return l
}

// check returns why no code of the account is exchanged now, or nil.
func (b *codeBrake) check(a accounts.Account) *failure {
	if b.limiter(a).Tokens() >= 1 {
		return nil
	}
	const reason = oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED
	return &failure{code: codes.ResourceExhausted, reason: reason, retryAfter: retryAfter[reason],
		message: "too many codes of this account were refused in a short time; try again in a moment"}
}

// note counts a code that WeChat refused.
func (b *codeBrake) note(a accounts.Account) { b.limiter(a).Allow() }
