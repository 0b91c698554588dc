package replier

import (
	"sync"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// rightLasts is for how long it is known whether an account may send customer-service messages: its owner may change that.
const rightLasts = 10 * time.Minute

// refusals knows the accounts to which WeChat refused customer-service messages altogether (errcodes 48001 and 48004), and
// those to which it did not. The zero refusals knows none. It is safe for concurrent use.
type refusals struct {
	mu   sync.Mutex
	last map[string]right // by account
}

// right is whether an account may send, as it was at a time.
type right struct {
	refused bool
	at      time.Time
}

// note notes whether WeChat refused customer-service messages to an account.
func (r *refusals) note(account string, refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]right{}
	}
	r.last[account] = right{refused, time.Now()}
}

// learn notes what a call for an account tells of its right.
func (r *refusals) learn(account string, err error) {
	switch {
	case err == nil:
		r.note(account, false)
	case oauthv1.ReasonOf(err) == oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED:
		r.note(account, true)
	}
}

// recent reports whether an account is known to be refused; known is false if nothing is known of it.
func (r *refusals) recent(account string) (refused, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.last[account]
	if known && time.Since(last.at) >= rightLasts {
		delete(r.last, account)
		return false, false
	}
	return last.refused, known
}
