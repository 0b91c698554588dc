package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// disaster is something that happens to a process for a while.
type disaster struct {
	name    string
	targets int  // of how many
	long    bool // it lasts longDisaster, else up to 2 s
	resets  bool // it may end with broken connections
	strike  func(ctx context.Context, c *cluster, e event) error
}

// longDisaster is longer than WeChat waits.
const longDisaster = 7 * time.Second

// disasters are one round; the order is by chance.
var disasters = []disaster{
	{name: "kill -9 replier", targets: 3, strike: func(ctx context.Context, c *cluster, e event) error {
		return killed(ctx, c.repliers[e.target].daemon, e.lasts)
	}},
	{name: "freeze replier", targets: 3, long: true, strike: func(ctx context.Context, c *cluster, e event) error {
		r := c.repliers[e.target]
		r.signal(syscall.SIGSTOP)
		defer r.signal(syscall.SIGCONT)
		return sleep(ctx, e.lasts)
	}},
	{name: "cut off replier", targets: 3, long: true, resets: true, strike: func(ctx context.Context, c *cluster, e event) error {
		w := c.repliers[e.target].wire
		w.cut()
		defer w.mend()
		err := sleep(ctx, e.lasts)
		if e.reset { // a router that forgot the connections
			w.reset()
		}
		return err
	}},
	{name: "SIGTERM gateway", targets: 2, strike: func(ctx context.Context, c *cluster, e event) error {
		g := c.gateways[e.target]
		if err := g.stop(); err != nil {
			return err
		}
		if err := sleep(ctx, e.lasts); err != nil {
			return err
		}
		return g.start(ctx)
	}},
	{name: "kill -9 NATS node", targets: 3, strike: func(ctx context.Context, c *cluster, e event) error {
		for _, d := range c.nats { // one of three may be away: the one before must have caught up
			if err := d.wait(ctx); err != nil {
				return err
			}
		}
		return killed(ctx, c.nats[e.target], e.lasts)
	}},
	{name: "full disk of NATS node", targets: 3, strike: func(ctx context.Context, c *cluster, e event) error {
		return c.fillDisk(ctx, e.target, e.lasts)
	}},
}

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
	target int
	pause  time.Duration // before it
	lasts  time.Duration
	reset  bool
}

func (e event) String() string {
	how := ""
	if e.reset {
		how = ", connections broken at the end"
	}
	return fmt.Sprintf("%s %d for %v%s", e.name, e.target+1, e.lasts, how)
}

// round returns each disaster once, in an order by chance.
func round(rng *rand.Rand) []event {
	millis := func(least, most int) time.Duration {
		return time.Duration(least+rng.IntN(most-least)) * time.Millisecond
	}
	var events []event
	for _, i := range rng.Perm(len(disasters)) {
		e := event{disaster: disasters[i], target: rng.IntN(disasters[i].targets), pause: millis(500, 1200), lasts: millis(500, 2000)}
		e.reset = rng.IntN(2) == 1 && e.resets
		if e.long {
			e.lasts = longDisaster
		}
		events = append(events, e)
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
			tell("schedule: after %v %v", e.pause, e)
		}
		for _, e := range events {
			if struck >= len(disasters) && enough() {
				break
			}
			if err := sleep(ctx, e.pause); err != nil {
				return struck, err
			}
			from := time.Since(began)
			if err := e.strike(ctx, c, e); err != nil {
				return struck, fmt.Errorf("%v: %w", e, err)
			}
			struck++
			tell("%5.1fs to %.1fs: %v", from.Seconds(), time.Since(began).Seconds(), e)
		}
	}
	return struck, nil
}
