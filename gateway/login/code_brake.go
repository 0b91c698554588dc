package login

import (
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	oauthv1 "wxgate/proto/oauth/v1"
)

// How many codes of one network WeChat may refuse before its logins wait: many users share the address of a mobile network,
// and refused codes are rare among theirs.
const (
	refusedPerSecond = 1
	refusedAtOnce    = 60
	// maxBraked is how many networks are remembered.
	maxBraked = 10_000
	// roomLooks is how many of them are looked at for one that is not braked any more.
	roomLooks = 8
)

// codeBrake slows down the logins of networks whose codes WeChat refuses: a made-up code costs a call. The zero codeBrake is ready.
// It is safe for concurrent use.
type codeBrake struct {
	mu        sync.Mutex
	byNetwork map[netip.Prefix]*rate.Limiter
}

// isOpen reports whether a code of this request may be exchanged. Requests whose network is not known pass: one of them would
// brake all others.
func (b *codeBrake) isOpen(r *http.Request) bool {
	network, known := clientAddress(r)
	if !known {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter := b.byNetwork[network]
	return limiter == nil || limiter.Tokens() >= 1
}

// count counts a code of this request that was refused.
func (b *codeBrake) count(r *http.Request) {
	network, known := clientAddress(r)
	if !known {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter := b.byNetwork[network]
	if limiter == nil {
		b.makeRoom()
		limiter = rate.NewLimiter(refusedPerSecond, refusedAtOnce)
		b.byNetwork[network] = limiter
	}
	limiter.Allow()
}

// makeRoom forgets a network if there are too many: one that has all its tokens again, or if a few looks find none, any.
func (b *codeBrake) makeRoom() {
	if b.byNetwork == nil {
		b.byNetwork = map[netip.Prefix]*rate.Limiter{}
	}
	looked := 0
	for network, limiter := range b.byNetwork { // in any order
		if len(b.byNetwork) < maxBraked {
			return
		}
		if looked++; looked == roomLooks || limiter.Tokens() >= refusedAtOnce {
			delete(b.byNetwork, network)
		}
	}
}

// isAboutCode reports whether WeChat refused a code, and not the site or the moment.
func isAboutCode(reason oauthv1.ErrorReason) bool {
	switch reason {
	case oauthv1.ErrorReason_ERROR_REASON_CODE_USED, oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID, oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED:
		return true
	}
	return false
}
