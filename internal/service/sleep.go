package service

import (
	"context"
	"time"
)

// SleepContext waits for d. It reports false if ctx ends first.
func SleepContext(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
