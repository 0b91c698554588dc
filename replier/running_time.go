package replier

import (
	"context"
	"time"
)

const (
	// standstill is how late a timer fires at least if the process stood still: stopped, or without a processor.
	standstill = 100 * time.Millisecond
	// catchUpTime is how long a process that stood still has to read the answers that arrived meanwhile.
	catchUpTime = time.Second
)

// runningTime is a context whose deadline counts only while the process runs. If the process stands still at that moment, the
// answer that arrived before it lies unread in a socket, and a timer that fires first would throw it away.
type runningTime struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (r runningTime) Deadline() (time.Time, bool) { return r.deadline, true }

// withRunningTime returns a context that ends after limit, or catchUpTime later if the process stood still at that moment. Its
// cause is context.DeadlineExceeded then. If parent ends earlier, so does the context, at once.
func withRunningTime(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(limit)
	if outer, ok := parent.Deadline(); ok && outer.Before(deadline) {
		return context.WithCancel(parent)
	}
	ctx, cancel := context.WithCancelCause(parent)
	expire := func() { cancel(context.DeadlineExceeded) }
	timer := time.AfterFunc(limit, func() {
		if time.Since(deadline) < standstill {
			expire()
			return
		}
		time.AfterFunc(catchUpTime, expire)
	})
	return runningTime{ctx, deadline}, func() { timer.Stop(); cancel(context.Canceled) }
}
