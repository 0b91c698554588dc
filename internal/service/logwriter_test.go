package service

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
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
	w := newLogWriter(to, nil)
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
	w.flushAndClose()
	w.flushAndClose()
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
		w := newLogWriter(to, nil)
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
		w.flushAndClose()
	})
}

// TestLogWriterWritesLines: however lines come, nothing is written where there are none.
func TestLogWriterWritesLines(t *testing.T) {
	const lines = 20_000
	to := &slowWriter{gate: make(chan struct{}), begun: make(chan struct{}, lines)}
	close(to.gate)
	w := newLogWriter(to, nil)
	for range lines {
		_, _ = w.Write([]byte("line\n"))
	}
	w.flushAndClose()
	if got := strings.Count(strings.Join(to.writes, ""), "\n"); got != lines || slices.Contains(to.writes, "") {
		t.Errorf("%d lines in %d writes, an empty one among them: %t; want %d lines", got, len(to.writes), slices.Contains(to.writes, ""), lines)
	}
}

// TestFindingsLogDropsWhatNobodyReads: whoever logs never waits. What does not fit is counted, and a line tells of it once
// there is a reader again.
func TestFindingsLogDropsWhatNobodyReads(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := &slowWriter{gate: make(chan struct{}), begun: make(chan struct{}, 100)}
				log, out := LogFlags{LogFormat: format}.openLogger(to)
				log.Info("first")
				<-to.begun
				const lines = 300
				for range lines { // in this goroutine: it would wait for ever
					log.Info("hello", "text", strings.Repeat("x", maxUnwritten/100))
				}
				synctest.Wait()
				close(to.gate)
				time.Sleep(time.Minute)
				log.Info("and on")
				out.flushAndClose()
				all := strings.Join(to.writes, "")
				written := strings.Count(all, "hello")
				if written < 90 || written > 110 {
					t.Errorf("%d of %d lines are written; want about 100", written, lines)
				}
				report, after := strings.Index(all, "log lines dropped"), strings.Index(all, "and on")
				if report < strings.LastIndex(all, "hello") || report > after {
					t.Errorf("the report is at %d, other lines after it at %d", report, after)
				}
				want := fmt.Sprintf(`"lines":%d}`, lines-written)
				if format == "text" {
					want = fmt.Sprintf("lines=%d\n", lines-written)
				}
				if strings.Count(all, "log lines dropped") != 1 || !strings.Contains(all, want) {
					t.Errorf("no report with %s:\n%s", want, all[report:])
				}
			})
		})
	}
}

// TestFindingsEndDoesNotWaitForTheLog has a pipe that is full, which nobody reads.
func TestFindingsEndDoesNotWaitForTheLog(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	env, flush := LogFlags{LogFormat: "json"}.NewEnv(w)
	for range 200 {
		env.Log.Info("hello", "text", strings.Repeat("x", maxUnwritten/100))
	}
	flushed := make(chan struct{})
	go func() { defer close(flushed); flush(); env.Log.Info("stray") }()
	select {
	case <-flushed:
	case <-time.After(20 * time.Second):
		t.Error("the end of the process waits for a reader")
	}
	metrics := httptest.NewRecorder()
	InternalMux(env).ServeHTTP(metrics, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if dropped := regexp.MustCompile(`\nwxgate_log_lines_dropped_total [1-9]`); !dropped.MatchString(metrics.Body.String()) {
		t.Error("the metric does not count")
	}
	_ = r.Close() // ends the writer
	<-flushed
}
