package wechatapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPause: a pause that would outlast the caller's time is not waited for.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		passed := func(want time.Duration) {
			t.Helper()
			if got := time.Since(start); got != want {
				t.Errorf("%s passed; want %s", got, want)
			}
			start = time.Now()
		}
		if !pause(t.Context(), time.Second) {
			t.Error("no deadline: false; want true")
		}
		passed(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if !pause(ctx, time.Second/2) {
			t.Error("time enough: false; want true")
		}
		passed(time.Second / 2)
		if pause(ctx, time.Second/2) {
			t.Error("not time enough: true; want false")
		}
		passed(0)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if pause(ctx, time.Minute) {
			t.Error("the caller left: true; want false")
		}
		passed(time.Second)
		if pause(ctx, 0) {
			t.Error("the caller has left: true; want false")
		}
	})
}
