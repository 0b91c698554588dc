package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/service"
)

// probeEvery is the time between two attempts to write to a bucket that could not be written.
const probeEvery = time.Second

// probeKey is a key that does not exist: deleting it is a write that changes nothing.
const probeKey = "probe"

// writeHealth records which buckets cannot be written. It is safe for concurrent use.
type writeHealth struct {
	failed prometheus.Counter

	mu      sync.Mutex
	probed  map[string]bool  // by the bucket's name
	failing map[string]error // those whose last probe failed
}

// registerMetrics adds failing writes to the metrics and to /readyz.
func (w *writeHealth) registerMetrics(env service.Env, connected func() bool) {
	w.probed, w.failing = map[string]bool{}, map[string]error{}
	w.failed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wxgate_store_write_failures_total", Help: "Writes to the store that failed and can be tried again.",
	})
	env.Registerer.MustRegister(w.failed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_store_write_blocked", Help: "1 while the store cannot write, else 0.",
	}, func() float64 {
		if w.firstFailure() != nil {
			return 1
		}
		return 0
	}))
	env.Ready.AddProblem("store", func() error {
		if err := w.firstFailure(); err != nil && connected() { // an unreachable store is listed under away
			return fmt.Errorf("cannot write: %w", err)
		}
		return nil
	})
}

// firstFailure returns why the first of the failing buckets cannot be written; nil if none fails.
func (w *writeHealth) firstFailure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(w.failing)) {
		return fmt.Errorf("%s: %w", name, w.failing[name])
	}
	return nil
}

// beginProbing reports whether the caller has to probe a bucket: no other goroutine does.
func (w *writeHealth) beginProbing(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.probed[name] {
		return false
	}
	w.probed[name] = true
	return true
}

// setFailing records the result of a probe, and reports whether it is a change.
func (w *writeHealth) setFailing(name string, err error) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, before := w.failing[name]
	if err != nil {
		w.failing[name] = err
	} else {
		delete(w.failing, name)
		delete(w.probed, name)
	}
	return before != (err != nil)
}

// writeFailed classifies the error of a write. If it may be temporary, the bucket is probed, so that log, metrics and /readyz
// show when the store cannot write, and when it can again.
func (b *Bucket) writeFailed(ctx context.Context, err error) error {
	err = classifyError(ctx, err)
	if errors.Is(err, ErrRejected) || errors.Is(err, context.Canceled) {
		return err
	}
	s := b.store
	s.writes.failed.Inc()
	if s.writes.beginProbing(b.name) && s.beginMaking() {
		go func() {
			defer s.running.Done()
			b.probeUntilWritten()
		}()
	}
	return err
}

// probeUntilWritten tries to write until it succeeds or the store closes.
func (b *Bucket) probeUntilWritten() {
	s, began := b.store, time.Now()
	for s.ctx.Err() == nil {
		err := b.tryWrite()
		if s.ctx.Err() != nil {
			return
		}
		changed := s.writes.setFailing(b.name, err)
		switch {
		case err != nil && changed:
			s.env.Log.Warn("the store cannot write; trying again", "bucket", b.name, "error", err)
		case err == nil && changed:
			s.env.Log.Info("the store can write again", "bucket", b.name, "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
		}
		if err == nil {
			return
		}
		s.restartIfBroken()
		service.SleepContext(s.ctx, probeEvery)
	}
}

// tryWrite makes a write that changes nothing. If the stream is missing, it creates it again.
func (b *Bucket) tryWrite() error {
	ctx, cancel := context.WithTimeout(b.store.ctx, answerTime)
	defer cancel()
	kv, err := b.keyValue(ctx)
	if err == nil {
		err = kv.Purge(ctx, probeKey)
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) && b.store.conn.Status() == nats.CONNECTED {
		_, _ = b.store.js.CreateOrUpdateStream(ctx, b.stream) // the next probe shows whether that helped
	}
	return err
}

// WriteError returns why the store cannot write; nil if no probe has failed.
func (s *Store) WriteError() error { return s.writes.firstFailure() }
