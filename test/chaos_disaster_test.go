package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// disaster is something that happens to a process, and its end.
type disaster struct {
	name    string
	targets int // of how many
	strike  func(ctx context.Context, c *cluster, target int, lasts time.Duration, odd bool) error
}

// disasters are one round; the order is by chance.
var disasters = []disaster{
	{"kill -9 replier", 3, func(ctx context.Context, c *cluster, target int, lasts time.Duration, _ bool) error {
		return killed(ctx, c.repliers[target].daemon, lasts)
	}},
	{"freeze replier", 3, func(ctx context.Context, c *cluster, target int, _ time.Duration, _ bool) error {
		r := c.repliers[target]
		r.signal(syscall.SIGSTOP)
		defer r.signal(syscall.SIGCONT)
		return sleep(ctx, longDisaster)
	}},
	{"cut off replier", 3, func(ctx context.Context, c *cluster, target int, _ time.Duration, odd bool) error {
		w := c.repliers[target].wire
		w.cut()
		defer w.mend()
		err := sleep(ctx, longDisaster)
		if odd { // a router that forgot the connections
			w.reset()
		}
		return err
	}},
	{"SIGTERM gateway", 2, func(ctx context.Context, c *cluster, target int, lasts time.Duration, _ bool) error {
		g := c.gateways[target]
		if err := g.stop(); err != nil {
			return err
		}
		if err := sleep(ctx, lasts); err != nil {
			return err
		}
		return g.start(ctx)
	}},
	{"kill -9 NATS node", 3, func(ctx context.Context, c *cluster, target int, lasts time.Duration, _ bool) error {
		for _, d := range c.nats { // one of three may be away, so none is behind when another goes
			if err := d.wait(ctx); err != nil {
				return err
			}
		}
		return killed(ctx, c.nats[target], lasts)
	}},
}

// longDisaster is longer than WeChat waits.
const longDisaster = 7 * time.Second

// killed ends a process, and starts it again after a while.
func killed(ctx context.Context, d *daemon, lasts time.Duration) error {
	d.kill()
	if err := sleep(ctx, lasts); err != nil {
		return err
	}
	return d.start(ctx)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// event is a disaster of the schedule.
type event struct {
	disaster
	target       int
	pause, lasts time.Duration // before it; how long, for those that have no fixed time
	odd          bool          // the other of two ways to end
}

func (e event) String() string {
	return fmt.Sprintf("after %v: %s %d, %v", e.pause, e.name, e.target+1, e.lasts)
}

// round returns each disaster once, in an order by chance.
func round(rng *rand.Rand) []event {
	var events []event
	for _, i := range rng.Perm(len(disasters)) {
		events = append(events, event{
			disaster: disasters[i], target: rng.IntN(disasters[i].targets), odd: rng.IntN(2) == 1,
			pause: time.Second + time.Duration(rng.IntN(1000))*time.Millisecond,
			lasts: 500*time.Millisecond + time.Duration(rng.IntN(2000))*time.Millisecond,
		})
	}
	return events
}

// wreck lets rounds of disasters happen until enough says so, at least one round, and tells of them. At its end all is
// healed.
func (c *cluster) wreck(ctx context.Context, rng *rand.Rand, enough func() bool, tell func(format string, args ...any)) (struck int, err error) {
	began := time.Now()
	for struck == 0 || !enough() {
		events := round(rng)
		for _, e := range events {
			tell("schedule: %v", e)
		}
		for _, e := range events {
			if struck >= len(disasters) && enough() {
				break
			}
			if err := sleep(ctx, e.pause); err != nil {
				return struck, err
			}
			from := time.Since(began)
			if err := e.strike(ctx, c, e.target, e.lasts, e.odd); err != nil {
				return struck, fmt.Errorf("%s %d: %w", e.name, e.target+1, err)
			}
			struck++
			tell("%6.1fs to %.1fs: %s %d", from.Seconds(), time.Since(began).Seconds(), e.name, e.target+1)
		}
	}
	return struck, nil
}
