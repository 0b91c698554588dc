package service

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowWriter takes what is written once gate lets it.
type slowWriter struct {
	gate  chan struct{}
	begun chan struct{} // gets one for each write

	mu     sync.Mutex
	writes []string
}

func (s *slowWriter) Write(b []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, string(b))
	return len(b), nil
}

// TestLogWriter: a line is written by itself where there is time, and what comes meanwhile together, in its order; at the
// end all is written, and what comes later too.
func TestLogWriter(t *testing.T) {
	to := &slowWriter{gate: make(chan struct{}), begun: make(chan struct{}, 10)}
	w := newLogWriter(to)
	say := func(line string) {
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	say("1\n")
	<-to.begun
	for i := 2; i < 6; i++ {
		say(fmt.Sprintf("%d\n", i))
	}
	close(to.gate)
	w.close()
	w.close()
	say("6\n")
	if got := strings.Join(to.writes, "|"); got != "1\n|2\n3\n4\n5\n|6\n" {
		t.Errorf("written: %q", got)
	}
}

// TestLogWriterGathers: a line is written at once where none was a moment ago; else with those that come in that moment.
func TestLogWriterGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &slowWriter{gate: make(chan struct{}), begun: make(chan struct{}, 10)}
		close(to.gate)
		w := newLogWriter(to)
		for _, tt := range []struct {
			line, written string
			after         time.Duration
		}{{"1\n", "1\n", 0}, {"2\n", "1\n", 0}, {"3\n", "1\n|2\n3\n", gathers}, {"4\n", "1\n|2\n3\n|4\n", gathers}} {
			_, _ = w.Write([]byte(tt.line))
			time.Sleep(tt.after)
			synctest.Wait()
			if got := strings.Join(to.writes, "|"); got != tt.written {
				t.Errorf("after %q: written %q, want %q", tt.line, got, tt.written)
			}
		}
		w.close()
	})
}

// TestLogWriterWritesLines: however lines come, nothing is written where there are none.
func TestLogWriterWritesLines(t *testing.T) {
	const lines = 20_000
	to := &slowWriter{gate: make(chan struct{}), begun: make(chan struct{}, lines)}
	close(to.gate)
	w := newLogWriter(to)
	for range lines {
		_, _ = w.Write([]byte("line\n"))
	}
	w.close()
	if got := strings.Count(strings.Join(to.writes, ""), "\n"); got != lines || slices.Contains(to.writes, "") {
		t.Errorf("%d lines in %d writes, an empty one among them: %t; want %d lines", got, len(to.writes), slices.Contains(to.writes, ""), lines)
	}
}

// TestLogWriterIsBounded: where lines come faster than they can be written, who makes them waits, and none is lost.
func TestLogWriterIsBounded(t *testing.T) {
	to := &slowWriter{gate: make(chan struct{}), begun: make(chan struct{}, 1000)}
	w := newLogWriter(to)
	const lines = 100
	line := strings.Repeat("x", maxUnwritten/10) + "\n"
	all := make(chan struct{})
	go func() {
		defer close(all)
		for range lines {
			_, _ = w.Write([]byte(line))
		}
	}()
	for range lines {
		select {
		case <-all:
		case to.gate <- struct{}{}:
		}
		w.mu.Lock()
		if most := maxUnwritten + len(line); len(w.unwritten) > most {
			t.Errorf("%d bytes wait; want at most %d", len(w.unwritten), most)
		}
		w.mu.Unlock()
	}
	close(to.gate)
	<-all
	w.close()
	if got := len(strings.Join(to.writes, "")); got != lines*len(line) {
		t.Errorf("%d bytes were written; want %d", got, lines*len(line))
	}
}
