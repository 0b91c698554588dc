package service

import (
	"context"
	"sync/atomic"
	"time"
)

// Grace is how long one server of a process may take to finish what is in flight: WeChat waits for an answer 5 s.
const Grace = 5 * time.Second

// StopTime is how long all servers of a process may take together, one after the other. With the store and the last of
// the log, a process is gone within the 10 s that "docker stop" gives.
const StopTime = 7 * time.Second

// overdue is how long a server may take after that to notice that its time is over.
const overdue = 500 * time.Millisecond

// stopDeadline is when the servers of a process must have stopped; nil: nobody stops them.
type stopDeadline struct{ at atomic.Pointer[time.Time] }

// begin sets the deadline.
func (d *stopDeadline) begin() {
	at := time.Now().Add(StopTime)
	d.at.Store(&at)
}

type stopDeadlineKey struct{}

// Drain returns the context in which a server finishes what is in flight, when its ctx has ended: it ends after Grace, or
// with the time of the whole process if that is sooner. It has the values of ctx.
func Drain(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(Grace)
	if d, ok := ctx.Value(stopDeadlineKey{}).(*stopDeadline); ok {
		if at := d.at.Load(); at != nil && at.Before(until) {
			until = *at
		}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}
