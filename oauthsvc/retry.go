package oauthsvc

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// maxAttempts is how often a call is made at most.
const maxAttempts = 3

// retry tells whether a call that failed is to be made again, and after what time (platform.md E.4).
func (c call) retry(f *failure, attempt int) (wait time.Duration, again bool) {
	if f == nil || attempt >= maxAttempts {
		return 0, false
	}
	switch f.reason {
	case oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:
		if c == exchangeCall {
			return 0, true // the code may be spent already, and dies in minutes
		}
		// Without an errcode WeChat may have sent the message: it is not sent twice.
		if c == sendCall && f.errcode == "" && !f.unsent() {
			return 0, false
		}
		return jitter(100 * time.Millisecond << (attempt - 1)), true
	case oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED:
		return jitter(time.Second << (attempt - 1)), true
	}
	return 0, false
}

// unsent tells whether the request surely did not reach WeChat.
func (f *failure) unsent() bool {
	var network *net.OpError
	return errors.As(f.cause, &network) && network.Op == "dial"
}

// jitter returns a time between half of d and d, so that those who failed together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// pause waits; false where the caller's time would be over by then.
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

// leaveFor is how long a host that failed is left for the next.
const leaveFor = 30 * time.Second

// hosts are the bases of WeChat's API, the preferred one first. It is safe for concurrent use.
type hosts struct {
	bases []string
	mu    sync.Mutex
	until map[string]time.Time // when a host that failed is tried again
}

func newHosts(bases []string) *hosts {
	h := &hosts{until: map[string]time.Time{}}
	for _, base := range bases {
		h.bases = append(h.bases, strings.TrimRight(base, "/"))
	}
	return h
}

// pick returns the first host that is not left, or where all are the one that was left first.
func (h *hosts) pick() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	best := h.bases[0]
	for _, base := range h.bases {
		if !now.Before(h.until[base]) {
			return base
		}
		if h.until[base].Before(h.until[best]) {
			best = base
		}
	}
	return best
}

// leave leaves a host for a while.
func (h *hosts) leave(base string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until[base] = time.Now().Add(leaveFor)
}
