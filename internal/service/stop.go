package service

import (
	"context"
	"sync/atomic"
	"time"
)

// Grace is how long one server of a process may take to finish requests in flight: WeChat waits 5 s for an answer.
const Grace = 5 * time.Second

// StopTime is how long all servers of a process may take together to stop, one after the other. Including the store and the
// rest of the log, a process ends within the 10 s that "docker stop" allows.
const StopTime = 7 * time.Second

// overdue is how long a server may take after that to notice the deadline.
const overdue = 500 * time.Millisecond

// stopDeadline is when the servers of a process must have stopped; nil: they are not being stopped.
type stopDeadline struct{ at atomic.Pointer[time.Time] }

// startCountdown sets the deadline to StopTime from now.
func (d *stopDeadline) startCountdown() {
	at := time.Now().Add(StopTime)
	d.at.Store(&at)
}

type stopDeadlineKey struct{}

// DrainContext returns the context in which a server finishes requests in flight after its ctx has ended. It ends after Grace
// or, if that is sooner, at the stop deadline of the process. It has the values of ctx.
func DrainContext(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(Grace)
	if d, ok := ctx.Value(stopDeadlineKey{}).(*stopDeadline); ok {
		if at := d.at.Load(); at != nil && at.Before(until) {
			until = *at
		}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}
