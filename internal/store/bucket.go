package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/singleflight"
)

// Bucket holds values by key. Each value expires some time after it was put. Keys consist of letters, digits, "-" and "_".
type Bucket struct {
	store  *Store
	name   string
	stream jetstream.StreamConfig // it holds the values
	once   singleflight.Group
	claims singleflight.Group
	opens  singleflight.Group

	mu sync.Mutex
	kv jetstream.KeyValue // nil until the store was reachable once
}

// Get returns the value of a key; ok is false if the key does not exist. The error is ErrUnavailable or the context's.
func (b *Bucket) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	value, revision, err := b.lookUp(ctx, key)
	return value, revision != 0, err
}

// answerTime is how long one operation of the store may take. After it the store counts as unavailable, so that the caller
// learns that within its own deadline.
const answerTime = 2 * time.Second

// lookUp returns a value and its revision; revision 0 means the key does not exist.
func (b *Bucket) lookUp(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.keyValue(limited)
	if err != nil {
		return nil, 0, classifyError(ctx, err)
	}
	entry, err := kv.Get(limited, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, classifyError(ctx, err)
	}
	return entry.Value(), entry.Revision(), nil
}

// Put sets the value of a key.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.keyValue(limited)
	if err == nil {
		_, err = kv.Put(limited, key, value)
	}
	if err != nil {
		return b.writeFailed(ctx, err)
	}
	return nil
}

// putIfRevision sets the value of a key if it is still at revision (0: it must not exist). It returns the new revision, or 0 on
// a conflict.
func (b *Bucket) putIfRevision(ctx context.Context, key string, value []byte, revision uint64) (put uint64, err error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.keyValue(limited)
	switch {
	case err != nil:
	case revision == 0:
		put, err = kv.Create(limited, key, value)
	default:
		put, err = kv.Update(limited, key, value, revision)
	}
	switch {
	case isConflict(err):
		return 0, nil
	case err != nil:
		return 0, b.writeFailed(ctx, err)
	}
	return put, nil
}

// PutIfAbsent sets the value of a key that does not exist, and returns the value that the key has afterwards: another one if
// that came first. Concurrent callers with the same key and value share one write.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, value []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	done := b.claims.DoChan(key+" "+string(value), func() (any, error) {
		return b.putIfAbsent(context.WithoutCancel(ctx), key, value)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		has, _ := r.Val.([]byte)
		return has, r.Err
	}
}

func (b *Bucket) putIfAbsent(ctx context.Context, key string, value []byte) ([]byte, error) {
	for {
		put, err := b.putIfRevision(ctx, key, value, 0)
		switch {
		case err != nil:
			return nil, err
		case put != 0:
			return value, nil
		}
		if other, ok, err := b.Get(ctx, key); ok || err != nil {
			return other, err
		}
	}
}

// Delete removes a key.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.deleteAt(ctx, key, 0)
}

// DeleteIf removes a key if match returns true for its value.
func (b *Bucket) DeleteIf(ctx context.Context, key string, match func(value []byte) bool) error {
	value, revision, err := b.lookUp(ctx, key)
	if err != nil || revision == 0 || !match(value) {
		return err
	}
	return b.deleteAt(ctx, key, revision)
}

// deleteAt removes a key if it is still at revision (0: at any).
func (b *Bucket) deleteAt(ctx context.Context, key string, revision uint64) error {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.keyValue(limited)
	if err == nil {
		err = kv.Purge(limited, key, jetstream.LastRevision(revision))
	}
	if err != nil && !isConflict(err) {
		return b.writeFailed(ctx, err)
	}
	return nil
}
