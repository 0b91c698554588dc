package replier

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestFindingsStandstillHasTime: a deadline that passed while the process stood still leaves a moment for what arrived meanwhile.
func TestFindingsStandstillHasTime(t *testing.T) {
	for name, c := range map[string]struct{ limit, lasts time.Duration }{
		"in time":     {time.Minute, time.Minute},
		"stood still": {-7 * time.Second, catchUpTime}, // the timer fires seven seconds late
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ctx, cancel := withRunningTime(t.Context(), c.limit)
				defer cancel()
				if deadline, ok := ctx.Deadline(); !ok || deadline != begun.Add(c.limit) {
					t.Errorf("deadline %v, %t", deadline, ok)
				}
				<-ctx.Done()
				if lasted := time.Since(begun); lasted != c.lasts {
					t.Errorf("lasted %v, want %v", lasted, c.lasts)
				}
				if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
					t.Errorf("ended by %v", context.Cause(ctx))
				}
			})
		})
	}
	t.Run("the caller waits for less", func(t *testing.T) {
		caller, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		ctx, cancel := withRunningTime(caller, time.Minute)
		defer cancel()
		want, _ := caller.Deadline()
		if deadline, ok := ctx.Deadline(); !ok || deadline != want {
			t.Errorf("deadline %v, %t; want %v", deadline, ok, want)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := withRunningTime(t.Context(), time.Minute)
		cancel()
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ended by %v", err)
		}
	})
}
