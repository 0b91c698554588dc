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

// probeEvery is how often a bucket that could not be written is tried.
const probeEvery = time.Second

// probeKey is a key that nobody has: deleting it is a write that changes nothing.
const probeKey = "probe"

// writes knows which buckets cannot be written. It is safe for concurrent use.
type writes struct {
	failed prometheus.Counter

	mu      sync.Mutex
	probed  map[string]bool  // by the bucket's name
	failing map[string]error // those whose last probe failed
}

// observe registers what metrics and /readyz tell of writes.
func (w *writes) observe(env service.Env, connected func() bool) {
	w.probed, w.failing = map[string]bool{}, map[string]error{}
	w.failed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wxgate_store_write_failures_total", Help: "Writes to the store that failed and may be tried again.",
	})
	env.Registerer.MustRegister(w.failed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_store_write_blocked", Help: "1 while the store cannot write, else 0.",
	}, func() float64 {
		if w.err() != nil {
			return 1
		}
		return 0
	}))
	env.Ready.Problem("store", func() error {
		if err := w.err(); err != nil && connected() { // one that is unreachable is listed as away
			return fmt.Errorf("cannot write: %w", err)
		}
		return nil
	})
}

// err returns why the store cannot write; nil if it can.
func (w *writes) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(w.failing)) {
		return fmt.Errorf("%s: %w", name, w.failing[name])
	}
	return nil
}

// beginProbing reports whether the caller should probe a bucket: nobody does.
func (w *writes) beginProbing(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.probed[name] {
		return false
	}
	w.probed[name] = true
	return true
}

// setFailing sets what a probe found, and reports whether that is a change.
func (w *writes) setFailing(name string, err error) (changed bool) {
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

// wrote classifies the error of a write. One that can pass has the bucket probed, so that log, metrics and /readyz say
// when the store cannot write, and when it can again.
func (b *Bucket) wrote(ctx context.Context, err error) error {
	err = failure(ctx, err)
	if errors.Is(err, ErrRejected) || errors.Is(err, context.Canceled) {
		return err
	}
	s := b.store
	s.writes.failed.Inc()
	if s.writes.beginProbing(b.name) && s.begin() {
		go func() {
			defer s.running.Done()
			b.probe()
		}()
	}
	return err
}

// probe tries to write until that succeeds or the store closes.
func (b *Bucket) probe() {
	s, began := b.store, time.Now()
	for s.ctx.Err() == nil {
		err := b.tryWrite()
		if s.ctx.Err() != nil {
			return
		}
		changed := s.writes.setFailing(b.name, err)
		switch {
		case err != nil && changed:
			s.env.Log.Warn("the store cannot write; writes are tried again", "bucket", b.name, "error", err)
		case err == nil && changed:
			s.env.Log.Info("the store can write again", "bucket", b.name, "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
		}
		if err == nil {
			return
		}
		s.heal()
		select {
		case <-s.ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

// tryWrite writes something that changes nothing. A stream that is gone is created again.
func (b *Bucket) tryWrite() error {
	ctx, cancel := context.WithTimeout(b.store.ctx, answerTime)
	defer cancel()
	kv, err := b.values(ctx)
	if err == nil {
		err = kv.Purge(ctx, probeKey)
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) && b.store.conn.Status() == nats.CONNECTED {
		_, _ = b.store.js.CreateOrUpdateStream(ctx, b.stream) // the next probe shows whether that helped
	}
	return err
}

// Trouble returns why the store cannot write; nil if it can, as far as it knows.
func (s *Store) Trouble() error { return s.writes.err() }
