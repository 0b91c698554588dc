package replier

import (
	"strings"
	"sync"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// refusalLasts is how long an account is taken for one that may send no customer-service messages.
const refusalLasts = 10 * time.Minute

// refusals are the accounts to which WeChat refused customer-service messages altogether (errcodes 48001 and 48004): what
// is slow is held for them meanwhile. The zero refusals is empty.
type refusals struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (r *refusals) note(account string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	r.last[account] = time.Now()
}

func (r *refusals) recent(account string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, refused := r.last[account]
	return refused && time.Since(at) < refusalLasts
}

// reasonName returns a reason as google.rpc.ErrorInfo carries it.
func reasonName(r oauthv1.ErrorReason) string { return strings.TrimPrefix(r.String(), "ERROR_REASON_") }
