package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestFindingsBoundedBucket: a bucket that is full forgets its oldest values and takes new ones; one that had no bound before
// gets it when it is opened.
func TestFindingsBoundedBucket(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(Config{Env: env(), Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	if _, err := s.Bucket("strangers", time.Hour); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open()
	defer s.Close()
	const maxBytes = 64 << 10
	b, err := s.BoundedBucket("strangers", time.Hour, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1<<10)
	for i := range 200 {
		if err := b.Put(t.Context(), fmt.Sprint("key", i), value); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
	}
	has := func(key string) bool {
		_, ok, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if has("key0") || !has("key199") {
		t.Errorf("the oldest is there: %t, the newest: %t; want the newest alone", has("key0"), has("key199"))
	}
	if size := bytesOf(t.Context(), t, b.kv); size > maxBytes {
		t.Errorf("%d bytes, want at most %d", size, maxBytes)
	}
}

func bytesOf(ctx context.Context, t *testing.T, kv jetstream.KeyValue) uint64 {
	t.Helper()
	status, err := kv.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return status.Bytes()
}
