package main

import (
	"context"
	"testing"
	"time"
)

// TestProc: a process that works gains CPU time, one that ended has no figures.
func TestProc(t *testing.T) {
	p := sh(t, "while :; do :; done")
	s := &processGroup{processes: []*childProcess{p, sh(t, "exec sleep 600")}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got time.Duration
	err := p.awaitTrue(ctx, "has no CPU time", func() bool {
		var err error
		if got, err = s.cpuTime(); err != nil {
			t.Fatal(err)
		}
		return got >= 5*clockTick
	})
	if err != nil {
		t.Fatal(err)
	}
	if own, err := p.cpuTime(); own < 3*clockTick || err != nil {
		t.Errorf("got %v, %v of %v; want nearly all", own, err, got)
	}
	if resident, err := p.residentBytes(); resident < 100<<10 || resident > 100<<20 || err != nil {
		t.Errorf("got %d bytes, %v; want a shell's", resident, err)
	}
	s.stop()
	if _, err := s.cpuTime(); err == nil {
		t.Error("cpu: got no error")
	}
	if _, err := p.residentBytes(); err == nil {
		t.Error("resident: got no error")
	}
}
