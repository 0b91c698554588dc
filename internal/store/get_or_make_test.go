package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func always([]byte) bool { return true }

// makes returns a maker of a value.
func makes(value string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(value), nil }
}

// expectOnce checks what Once returns.
func (b *Bucket) expectOnce(t *testing.T, fresh func([]byte) bool, create func(context.Context) ([]byte, error), want string, wantShared bool) {
	t.Helper()
	value, shared, err := b.GetOrMake(t.Context(), "k", fresh, create)
	if err != nil || string(value) != want || shared != wantShared {
		t.Errorf("%q, shared %t, %v; want %q, %t", value, shared, err, want, wantShared)
	}
}

// TestOnceColdHerd: 1,000 callers on 3 replicas, one of them makes the value.
func TestOnceColdHerd(t *testing.T) {
	url := cluster(t)
	var buckets []*Bucket
	for range 3 {
		buckets = append(buckets, open(t, Config{URL: url}).mustBucket(t, time.Minute))
	}
	var calls, alone atomic.Int32
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			value, shared, err := buckets[i%3].GetOrMake(t.Context(), "k", always, func(context.Context) ([]byte, error) {
				calls.Add(1)
				time.Sleep(50 * time.Millisecond) // as a call takes
				return []byte("v"), nil
			})
			if err != nil || string(value) != "v" {
				t.Errorf("%q, %v", value, err)
			}
			if !shared {
				alone.Add(1)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 || alone.Load() != 1 {
		t.Errorf("%d calls, %d callers alone; want 1", calls.Load(), alone.Load())
	}
}

func TestOnce(t *testing.T) {
	b := open(t, Config{}).mustBucket(t, time.Hour)
	is := func(want string) func([]byte) bool { return func(got []byte) bool { return string(got) == want } }
	b.expectOnce(t, always, makes("a"), "a", false)
	b.expectOnce(t, always, makes("b"), "a", true)
	b.expectOnce(t, is("b"), makes("b"), "b", false)
	b.expectValue(t, "k", "b")

	failure := errors.New("no")
	_, shared, err := b.GetOrMake(t.Context(), "k", is("c"), func(context.Context) ([]byte, error) { return nil, failure })
	if !errors.Is(err, failure) || shared {
		t.Errorf("a maker that fails: shared %t, %v; want its error", shared, err)
	}
	b.expectValue(t, "k", "b")
	_, _, err = b.GetOrMake(t.Context(), "k", is("c"), func(context.Context) ([]byte, error) { panic("a secret") })
	if err == nil || !strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "a secret") || errors.Is(err, ErrUnavailable) {
		t.Errorf("a maker that panics: %v; want an error that says so, without the value", err)
	}
	// The lock is free at once.
	b.expectOnce(t, is("c"), makes("c"), "c", false)
}

// blocked is a maker that waits until it is let go on.
type blocked struct {
	begun, goOn chan struct{}
	ended       error // its context's, when it went on
}

func newBlocked() *blocked { return &blocked{begun: make(chan struct{}), goOn: make(chan struct{})} }

func (m *blocked) make(ctx context.Context) ([]byte, error) {
	close(m.begun) // a second run would panic
	select {
	case <-m.goOn:
	case <-ctx.Done():
	}
	m.ended = ctx.Err()
	return []byte("made"), m.ended
}

// TestCallerGoesMakerStays: who waits in the same process, or another, gets what it makes.
func TestCallerGoesMakerStays(t *testing.T) {
	url := cluster(t)
	here, there := open(t, Config{URL: url}).mustBucket(t, time.Hour), open(t, Config{URL: url}).mustBucket(t, time.Hour)
	m := newBlocked()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, _, err := here.GetOrMake(ctx, "k", always, m.make)
		gone <- err
	}()
	<-m.begun
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v; want canceled", err)
	}
	var both sync.WaitGroup
	for _, b := range []*Bucket{here, there} {
		both.Go(func() { b.expectOnce(t, always, m.make, "made", true) })
	}
	close(m.goOn)
	both.Wait()
	if m.ended != nil {
		t.Errorf("the maker's context: %v", m.ended)
	}
}

// TestNotFreshEnough: a value that is made for another may not do.
func TestNotFreshEnough(t *testing.T) {
	b := open(t, Config{}).mustBucket(t, time.Hour)
	m := newBlocked()
	var both sync.WaitGroup
	both.Go(func() { b.expectOnce(t, always, m.make, "made", false) })
	<-m.begun
	joined := make(chan struct{})
	notMade := func(value []byte) bool { return string(value) != "made" }
	var seen atomic.Int32
	both.Go(func() {
		close(joined)
		b.expectOnce(t, func(value []byte) bool { seen.Add(1); return notMade(value) }, makes("better"), "better", false)
	})
	<-joined
	close(m.goOn)
	both.Wait()
	b.expectValue(t, "k", "better")
	if seen.Load() == 0 {
		t.Error("the value was not looked at")
	}
}

// TestChangedMeanwhile: who puts or deletes while a value is made has the last word.
func TestChangedMeanwhile(t *testing.T) {
	b := open(t, Config{}).mustBucket(t, time.Hour)
	never := func([]byte) bool { return false }
	during := func(do func()) func(context.Context) ([]byte, error) {
		return func(context.Context) ([]byte, error) { do(); return []byte("made"), nil }
	}
	b.mustPut(t, "k", "old")
	b.expectOnce(t, never, during(func() { b.mustPut(t, "k", "put") }), "made", false)
	b.expectValue(t, "k", "put")
	b.expectOnce(t, never, during(func() {
		if err := b.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
	}), "made", false)
	b.expectValue(t, "k", "")
	b.expectOnce(t, never, during(func() {}), "made", false)
	b.expectValue(t, "k", "made")
}

// TestLockOfTheDead: the lock of a process that died frees itself.
func TestLockOfTheDead(t *testing.T) {
	s := open(t, Config{URL: cluster(t), lockLife: 300 * time.Millisecond})
	b := s.mustBucket(t, time.Hour)
	if locked, err := s.locks.putIfRevision(t.Context(), "test-k", nil, 0); err != nil || locked == 0 {
		t.Fatal(locked, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _, err := b.GetOrMake(ctx, "k", always, func(context.Context) ([]byte, error) {
		if _, held, err := s.locks.Get(t.Context(), "test-k"); !held || err != nil {
			t.Errorf("made while another held the lock: %v", err)
		}
		return []byte("v"), nil
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want the deadline", err)
	}
	value, _, err := b.GetOrMake(t.Context(), "k", always, makes("v"))
	if err != nil || string(value) != "v" {
		t.Errorf("%q, %v; want v", value, err)
	}
}

// TestCloseEndsMakers: Close ends what is being made, and waits for it.
func TestCloseEndsMakers(t *testing.T) {
	s := open(t, Config{})
	b := s.mustBucket(t, time.Hour)
	m := newBlocked()
	got := make(chan error, 1)
	go func() {
		_, _, err := b.GetOrMake(t.Context(), "k", always, m.make)
		got <- err
	}()
	<-m.begun
	s.Close()
	if !errors.Is(m.ended, context.Canceled) { // a race, if Close had not waited
		t.Errorf("the maker's context: %v; want canceled", m.ended)
	}
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("who waited: %v; want canceled", err)
	}
}

// TestMadeWhileClosing: what was made when the store closes is kept: a code can be exchanged only once.
func TestMadeWhileClosing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	b := s.mustBucket(t, time.Hour)
	begun := make(chan struct{})
	go func() {
		_, _, _ = b.GetOrMake(context.WithoutCancel(t.Context()), "k", always, func(ctx context.Context) ([]byte, error) {
			close(begun)
			<-ctx.Done()
			return []byte("made"), nil
		})
	}()
	<-begun
	s.Close()
	open(t, Config{Dir: dir}).mustBucket(t, time.Hour).expectValue(t, "k", "made")
}

// TestMadeBeforeTheLock: what another made between the last look and the lock is not made again.
func TestMadeBeforeTheLock(t *testing.T) {
	b := open(t, Config{}).mustBucket(t, time.Hour)
	b.mustPut(t, "k", "another's")
	looks := 0
	fresh := func([]byte) bool { looks++; return looks > 1 } // before the lock, and with it
	b.expectOnce(t, fresh, makes("made"), "another's", true)
	b.expectValue(t, "k", "another's")
}
