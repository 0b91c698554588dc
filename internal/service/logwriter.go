package service

import (
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxUnwritten is how many bytes of log may wait to be written. Lines that come then are dropped: nothing that a process
// does for others may wait for its log.
const maxUnwritten = 1 << 20

// usualUnwritten is how many bytes of buffer are kept for the next lines.
const usualUnwritten = 256 << 10

// gathers is how long lines are gathered after others were written.
const gathers = time.Millisecond

// lastWrite is how long the end of a process waits for the log that is left.
const lastWrite = time.Second

// logWriter writes lines in a goroutine of its own, and under load many at once: a request waits for no system call, nor
// for the lock of one.
type logWriter struct {
	to      io.Writer
	report  func(dropped int) // writes to to that lines are missing; nil: nobody is told
	dropped prometheus.Counter
	wake    chan struct{} // signals that there is something to write
	done    chan struct{} // closed once all is written

	mu        sync.Mutex
	unwritten []byte
	missing   int // lines that were dropped since the last report
	closed    bool
}

func newLogWriter(to io.Writer, report func(dropped int)) *logWriter {
	w := &logWriter{to: to, report: report, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wxgate_log_lines_dropped_total", Help: "Log lines that were dropped because nobody read the log fast enough.",
	})
	go w.run()
	return w
}

// Write implements io.Writer; line is one line. It never fails and never waits for a reader: there is nowhere to say so.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed && w.ended(): // the last words of what still runs
		return w.to.Write(line)
	case w.closed || len(w.unwritten) > maxUnwritten:
		w.missing++
		w.dropped.Inc()
		return len(line), nil
	}
	w.unwritten = append(w.unwritten, line...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// ended reports whether all that came before close is written.
func (w *logWriter) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (w *logWriter) run() {
	defer close(w.done)
	var lines []byte
	for range w.wake {
		missing := 0
		if lines, missing = w.next(lines); len(lines) == 0 {
			continue // they went with those before
		}
		_, _ = w.to.Write(lines)
		if missing > 0 && w.report != nil {
			w.report(missing)
		}
		time.Sleep(gathers)
	}
}

// next returns the lines to write, and how many are missing after them; spare is room for the next ones.
func (w *logWriter) next(spare []byte) (lines []byte, missing int) {
	if cap(spare) > usualUnwritten {
		spare = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	lines, missing = w.unwritten, w.missing
	w.unwritten, w.missing = spare[:0], 0
	return lines, missing
}

// close writes what is left, for lastWrite at most. What comes later is written at once.
func (w *logWriter) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.wake) // what it has is still received
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-time.After(lastWrite):
	}
}
