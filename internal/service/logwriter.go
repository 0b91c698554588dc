package service

import (
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxUnwritten is how many bytes of log may wait to be written. Further lines are dropped: no request may wait for the log.
const maxUnwritten = 1 << 20

// usualUnwritten is the size of the buffer that is kept for the next lines, in bytes.
const usualUnwritten = 256 << 10

// gathers is how long lines are collected after each write.
const gathers = time.Millisecond

// lastWrite is how long a process that ends waits for the rest of its log to be written.
const lastWrite = time.Second

// logWriter writes lines in a goroutine of its own, and under load many at once, so that requests wait neither for a system
// call nor for its lock.
type logWriter struct {
	to      io.Writer
	report  func(dropped int) // writes to to that lines are missing; may be nil
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
		Name: "wxgate_log_lines_dropped_total", Help: "Log lines dropped because the log was not read fast enough.",
	})
	go w.writeLoop()
	return w
}

// Write implements io.Writer; line is one line. It neither fails nor blocks: a failure could be reported nowhere.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed && w.isDrained(): // code that still runs after flushAndClose
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

// isDrained reports whether all lines from before flushAndClose are written.
func (w *logWriter) isDrained() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (w *logWriter) writeLoop() {
	defer close(w.done)
	var lines []byte
	for range w.wake {
		missing := 0
		if lines, missing = w.takeUnwritten(lines); len(lines) == 0 {
			continue // the previous write had them
		}
		_, _ = w.to.Write(lines)
		if missing > 0 && w.report != nil {
			w.report(missing)
		}
		time.Sleep(gathers)
	}
}

// takeUnwritten returns the lines to write, and how many are missing after them. spare becomes the buffer of the next lines.
func (w *logWriter) takeUnwritten(spare []byte) (lines []byte, missing int) {
	if cap(spare) > usualUnwritten {
		spare = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	lines, missing = w.unwritten, w.missing
	w.unwritten, w.missing = spare[:0], 0
	return lines, missing
}

// flushAndClose writes the rest of the log, for at most lastWrite. Later lines are written directly.
func (w *logWriter) flushAndClose() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.wake) // a pending signal is still received
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-time.After(lastWrite):
	}
}
