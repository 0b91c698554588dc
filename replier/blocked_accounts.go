package replier

import (
	"sync"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// rightLasts is how long it counts as known whether an account may send customer-service messages: its owner may change that.
const rightLasts = 10 * time.Minute

// blockedAccounts notes for which accounts WeChat refused customer-service messages altogether (errcodes 48001 and 48004), and for
// which it did not. The zero blockedAccounts is empty. It is safe for concurrent use.
type blockedAccounts struct {
	mu     sync.Mutex
	rights map[string]sendingRight // by account
}

// sendingRight is the state of an account's right to send at a time.
type sendingRight struct {
	isBlocked bool
	at        time.Time
}

// noteRight notes whether WeChat refused an account's customer-service messages.
func (r *blockedAccounts) noteRight(account string, isBlocked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rights == nil {
		r.rights = map[string]sendingRight{}
	}
	r.rights[account] = sendingRight{isBlocked, time.Now()}
}

// learnRight notes the right of an account by the error of a call that needs it.
func (r *blockedAccounts) learnRight(account string, err error) {
	switch {
	case err == nil:
		r.noteRight(account, false)
	case oauthv1.ReasonOf(err) == oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED:
		r.noteRight(account, true)
	}
}

// isBlocked reports whether WeChat refused the account's messages lately. known is false if no call showed that or the contrary.
func (r *blockedAccounts) isBlocked(account string) (isBlocked, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.rights[account]
	if known && time.Since(last.at) >= rightLasts {
		delete(r.rights, account)
		return false, false
	}
	return last.isBlocked, known
}
