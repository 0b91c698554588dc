package login

import (
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	oauthv1 "wxgate/proto/oauth/v1"
)

// The codes of one network that WeChat may reject before its logins have to wait. Many users share an address of a mobile network, and
// rejected codes are rare among theirs.
const (
	refusedPerSecond = 1
	refusedAtOnce    = 60
	// maxBraked is the number of networks that are remembered.
	maxBraked = 10_000
	// roomLooks is the number of networks that makeRoom looks at to find one without a recent rejection.
	roomLooks = 8
)

// codeBrake limits the logins of networks whose codes WeChat rejects: a made-up code costs a call of WeChat. The zero codeBrake is
// ready to use. It is safe for concurrent use.
type codeBrake struct {
	mu        sync.Mutex
	byNetwork map[netip.Prefix]*rate.Limiter
}

// isOpen reports whether the code of a request may be exchanged. Requests whose network is not known always may: they would share one
// limit.
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

// countRefusal counts a code that WeChat rejected, for the network of its request.
func (b *codeBrake) countRefusal(r *http.Request) {
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

// makeRoom forgets a network if there are too many: one without a recent rejection, or if roomLooks looks find none, any.
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

// isAboutCode reports whether WeChat rejected the code itself, and not the site or the number of calls.
func isAboutCode(reason oauthv1.ErrorReason) bool {
	switch reason {
	case oauthv1.ErrorReason_ERROR_REASON_CODE_USED, oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID, oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED:
		return true
	}
	return false
}
