package service

import (
	"io"
	"sync"
	"time"
)

// maxUnwritten is how many bytes of log may wait to be written; who has more to say waits.
const maxUnwritten = 256 << 10

// gathers is how long lines are gathered after others were written.
const gathers = time.Millisecond

// logWriter writes lines in a goroutine of its own, and under load many at once: a request waits for no system call, nor
// for the lock of one.
type logWriter struct {
	to   io.Writer
	wake chan struct{} // has one where there is something to write
	done chan struct{} // closed once all is written

	mu        sync.Mutex
	written   *sync.Cond // some was
	unwritten []byte
	closed    bool
}

func newLogWriter(to io.Writer) *logWriter {
	w := &logWriter{to: to, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.written = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// Write implements io.Writer. It never fails: there is nowhere to say so.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.unwritten) > maxUnwritten {
		w.written.Wait()
	}
	if w.closed { // the last words of what still runs
		return w.to.Write(line)
	}
	w.unwritten = append(w.unwritten, line...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

func (w *logWriter) run() {
	defer close(w.done)
	var lines []byte
	for range w.wake {
		w.mu.Lock()
		lines, w.unwritten = w.unwritten, lines[:0]
		w.written.Broadcast()
		w.mu.Unlock()
		if len(lines) > 0 { // else they went with those before
			_, _ = w.to.Write(lines)
			time.Sleep(gathers)
		}
	}
}

// close writes what is left. What comes later is written at once.
func (w *logWriter) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.wake) // what it has is still received
	}
	w.mu.Unlock()
	<-w.done
}
