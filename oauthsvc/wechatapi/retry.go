package wechatapi

import (
	"context"
	"math/rand/v2"
	"time"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// maxAttempts is how often a call is made at most.
const maxAttempts = 3

// planRetry reports whether to make a failed call again, and after which pause (platform.md E.4). Nothing here waits for a limit
// of WeChat to pass (errcode 45011): the caller decides, because it knows the other messages that are waiting.
func (r Request) planRetry(f *Failure, attempt int) (wait time.Duration, again bool) {
	if f == nil || r.Once || attempt >= maxAttempts {
		return 0, false
	}
	switch f.Reason {
	case oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:
	default:
		return 0, false
	}
	switch {
	case r.Call.retry == retryAtOnce:
		return 0, true
	case r.Call.retry == retryIfUnsent && !f.unsent:
		return 0, false // WeChat refused it, which its caller is to note, or may have done it
	}
	return jitter(100 * time.Millisecond << (attempt - 1)), true
}

// jitter returns a random time from half of d up to d, so that calls that failed together are not repeated together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// pause waits. If the caller's time ends before, it reports false without waiting.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait || ctx.Err() != nil {
		return false
	}
	return service.SleepContext(ctx, wait)
}
