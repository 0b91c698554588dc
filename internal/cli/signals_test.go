package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFindingsEndIsBounded: a command that hangs after the signal, such as in the closing of a store, does not keep the
// process; one that runs on without a signal is left alone.
func TestFindingsEndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		failed := errors.New("failed")
		if err := runInTime(ctx, func() error { time.Sleep(time.Hour); return failed }); !errors.Is(err, failed) {
			t.Errorf("without a signal: %v", err)
		}
		hang := make(chan struct{})
		defer close(hang)
		start := time.Now()
		time.AfterFunc(time.Minute, cancel)
		err := runInTime(ctx, func() error { <-hang; return nil })
		if err == nil || !strings.Contains(err.Error(), "did not end within") || time.Since(start) != time.Minute+endTime {
			t.Errorf("after a signal: %v in %s", err, time.Since(start))
		}
	})
}
