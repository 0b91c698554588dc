package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestBucket(t *testing.T) {
	for name, cfg := range map[string]Config{"memory": {}, "directory": {Dir: t.TempDir()}, "cluster": {URL: cluster(t)}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, cfg)
			b := s.mustBucket(t, time.Hour)
			other, err := s.Bucket("other", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			claim := func(value, want string) {
				t.Helper()
				if got, err := b.PutIfAbsent(t.Context(), "k", []byte(value)); err != nil || string(got) != want {
					t.Errorf("claim: %q, %v; want %q", got, err, want)
				}
			}
			remove := func() {
				t.Helper()
				if err := b.Delete(t.Context(), "k"); err != nil {
					t.Error(err)
				}
			}
			removeIf := func(value string) {
				t.Helper()
				if err := b.DeleteIf(t.Context(), "k", func(got []byte) bool { return string(got) == value }); err != nil {
					t.Error(err)
				}
			}
			b.expectValue(t, "k", "")
			remove()
			removeIf("")
			claim("1", "1")
			claim("2", "1")
			b.mustPut(t, "k", "3")
			claim("4", "3")
			other.expectValue(t, "k", "")
			removeIf("1")
			b.expectValue(t, "k", "3")
			removeIf("3")
			b.expectValue(t, "k", "")
			claim("5", "5")
			remove()
			b.expectValue(t, "k", "")
			remove()

			// A value of another's is neither replaced nor brought back.
			b.mustPut(t, "k", "6")
			_, revision, err := b.lookUp(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			for _, meanwhile := range []func(){func() { b.mustPut(t, "k", "7") }, remove} {
				meanwhile()
				if put, err := b.putIfRevision(t.Context(), "k", []byte("late"), revision); put != 0 || err != nil {
					t.Errorf("put late: %d, %v; want 0, nil", put, err)
				}
				if value, _, _ := b.Get(t.Context(), "k"); string(value) == "late" {
					t.Error("a late value was put")
				}
			}
			b.mustPut(t, "k", "8")
			if err := b.deleteAt(t.Context(), "k", revision); err != nil {
				t.Error(err)
			}
			b.expectValue(t, "k", "8")
		})
	}
}

// TestClaimRace: of many who claim, also again after it was deleted, all get the value of one.
func TestClaimRace(t *testing.T) {
	url := cluster(t)
	var buckets []*Bucket
	for range 3 {
		buckets = append(buckets, open(t, Config{URL: url}).mustBucket(t, time.Hour))
	}
	for round := range 5 {
		got := make(map[string]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				value, err := buckets[i%3].PutIfAbsent(t.Context(), "k", fmt.Append(nil, round, "-", i))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[string(value)]++
			})
		}
		all.Wait()
		if len(got) != 1 {
			t.Errorf("round %d: %v; want one value", round, got)
		}
		if err := buckets[round%3].Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
	}
}

func TestValuesExpire(t *testing.T) {
	for name, cfg := range map[string]Config{"memory": {}, "directory": {Dir: t.TempDir()}, "cluster": {URL: cluster(t)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, cfg)
			long, err := s.Bucket("long", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			long.mustPut(t, "k", "v")
			b := s.mustBucket(t, 200*time.Millisecond)
			b.mustPut(t, "k", "v")
			until(t, func() bool {
				_, ok, err := b.Get(t.Context(), "k")
				return !ok && err == nil
			})
			if got, err := b.PutIfAbsent(t.Context(), "k", []byte("new")); err != nil || string(got) != "new" {
				t.Errorf("claim of what expired: %q, %v; want the new value", got, err)
			}
			long.expectValue(t, "k", "v")
		})
	}
}

// TestValuesExpireWhileClosed: time goes on while nobody looks.
func TestValuesExpireWhileClosed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	s.mustBucket(t, 200*time.Millisecond).mustPut(t, "k", "v")
	s.Close()
	<-time.After(200 * time.Millisecond) // it cannot be early, and later is the same
	b := open(t, Config{Dir: dir}).mustBucket(t, 200*time.Millisecond)
	until(t, func() bool {
		_, ok, err := b.Get(t.Context(), "k")
		return !ok && err == nil
	})
}

// TestReadsAreTheLeaders: another server may be behind.
func TestReadsAreTheLeaders(t *testing.T) {
	s := open(t, Config{URL: cluster(t)})
	s.mustBucket(t, time.Hour)
	stream, err := s.js.Stream(t.Context(), "KV_wxgate_test")
	if err != nil {
		t.Fatal(err)
	}
	if stream.CachedInfo().Config.AllowDirect {
		t.Error("any server of the cluster answers a Get; want the leader alone")
	}
}

// TestReplicasStay: only a cluster that is too small makes do with fewer.
func TestReplicasStay(t *testing.T) {
	for errcode, want := range map[jetstream.ErrorCode]bool{10074: true, 10005: true, 10008: false, 10023: true} {
		if got := tooFewServers(fmt.Errorf("create: %w", &jetstream.APIError{ErrorCode: errcode})); got != want {
			t.Errorf("%d: %t; want %t", errcode, got, want)
		}
	}
	if tooFewServers(context.DeadlineExceeded) || tooFewServers(nil) {
		t.Error("a deadline is no reason for fewer replicas")
	}
	for _, errcode := range []jetstream.ErrorCode{jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant} {
		if !isConflict(&jetstream.APIError{ErrorCode: errcode}) {
			t.Errorf("%d: not late", errcode)
		}
	}
}

func TestErrors(t *testing.T) {
	s := open(t, Config{})
	b := s.mustBucket(t, time.Hour)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	all := func(ctx context.Context) map[string]error {
		_, _, get := b.Get(ctx, "k")
		_, claim := b.PutIfAbsent(ctx, "k", nil)
		_, _, once := b.GetOrMake(ctx, "k", always, func(context.Context) ([]byte, error) { return nil, nil })
		return map[string]error{"Get": get, "Claim": claim, "Once": once, "Put": b.Put(ctx, "k", nil), "Delete": b.Delete(ctx, "k"),
			"DeleteIf": b.DeleteIf(ctx, "k", always)}
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		want error
	}{"canceled": {gone, context.Canceled}, "late": {late, context.DeadlineExceeded}} {
		for what, err := range all(tt.ctx) {
			if !errors.Is(err, tt.want) || errors.Is(err, ErrUnavailable) {
				t.Errorf("%s, %s: %v; want %v", what, name, err, tt.want)
			}
		}
	}
	s.Close()
	for what, err := range all(t.Context()) {
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s of a closed store: %v; want ErrUnavailable", what, err)
		}
	}
}
