package oauthsvc

import (
	"context"
	"math/rand/v2"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// maxAttempts is how often a call is made at most.
const maxAttempts = 3

// retry reports whether a call that failed is to be made again, and after what time (platform.md E.4). Nothing here waits
// for a limit of WeChat's to pass (errcode 45011): the caller does, who knows what else waits meanwhile.
func (r apiRequest) retry(f *failure, attempt int) (wait time.Duration, again bool) {
	if f == nil || r.single || attempt >= maxAttempts {
		return 0, false
	}
	switch f.reason {
	case oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:
		if r.call == exchangeCall {
			return 0, true // the code may be spent already, and dies in minutes
		}
		if r.call == sendCall && !f.unsent {
			return 0, false // WeChat refused it, which its caller is to note, or may have sent it
		}
		return jitter(100 * time.Millisecond << (attempt - 1)), true
	}
	return 0, false
}

// jitter returns a time between half of d and d, so that those who failed together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// pause waits. It reports false, and waits for nothing, if the caller's time would be over by then.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait || ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
