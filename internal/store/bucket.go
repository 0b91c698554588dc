package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
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

// Bucket opens a bucket whose values expire after life. It must not be called concurrently. If the store is Patient and
// unreachable, the bucket is opened at its first use.
func (s *Store) Bucket(name string, life time.Duration) (*Bucket, error) {
	return s.BoundedBucket(name, life, 0)
}

// BoundedBucket opens a bucket that takes at most maxBytes on disk: when it is full, the oldest values are dropped for new
// ones. 0 means no bound.
func (s *Store) BoundedBucket(name string, life time.Duration, maxBytes int64) (*Bucket, error) {
	storage := jetstream.FileStorage
	if !s.IsDurable() {
		storage = jetstream.MemoryStorage
	}
	if err := s.openLocks(); err != nil {
		return nil, err
	}
	return s.openBucket(jetstream.StreamConfig{Name: name, MaxAge: life, Storage: storage, MaxBytes: maxBytes})
}

// shortLivedStorage returns the name and storage of a bucket whose values matter for seconds. In a cluster they are on disk:
// its servers may all restart, and lose their memory, while this process runs.
func (s *Store) shortLivedStorage(name string) (string, jetstream.StorageType) {
	if s.IsShared() {
		return "shared_" + name, jetstream.FileStorage
	}
	return name, jetstream.MemoryStorage
}

// openLocks opens the bucket of the locks, once.
func (s *Store) openLocks() (err error) {
	if s.locks == nil {
		name, storage := s.shortLivedStorage("locks")
		s.locks, err = s.openBucket(jetstream.StreamConfig{Name: name, MaxAge: s.lockLife, Storage: storage})
	}
	return err
}

// replicas is the number of servers of a cluster that store a value.
const replicas = 3

func (s *Store) openBucket(cfg jetstream.StreamConfig) (*Bucket, error) {
	limit := s.patience
	if s.patient {
		limit = answerTime
	}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	b := s.newBucket(cfg)
	if s.patient && !s.IsConnected() {
		return b, nil
	}
	_, err := b.openStream(ctx)
	if isLater := s.patient && errors.Is(classifyError(context.Background(), err), ErrUnavailable); err != nil && !isLater {
		return nil, fmt.Errorf("store: bucket %s: %w", cfg.Name, err)
	}
	return b, nil
}

// newBucket returns a bucket that is not open yet. It is a stream with a subject for each key; cfg has the settings that
// differ between buckets.
func (s *Store) newBucket(cfg jetstream.StreamConfig) *Bucket {
	b := &Bucket{store: s, name: cfg.Name}
	bucket := "wxgate_" + cfg.Name
	cfg.Name, cfg.Subjects = "KV_"+bucket, []string{"$KV." + bucket + ".>"}
	cfg.MaxMsgsPerSubject, cfg.Discard, cfg.AllowRollup, cfg.DenyDelete = 1, jetstream.DiscardNew, true, true
	if cfg.MaxBytes > 0 {
		cfg.Discard = jetstream.DiscardOld
	}
	cfg.Duplicates = min(cfg.MaxAge, 2*time.Minute)
	// Not AllowDirect: with it, a server with outdated values may answer a Get, and a login code would be exchanged twice.
	cfg.Replicas = replicas
	if s.server != nil {
		cfg.Replicas = 1
	}
	b.stream = cfg
	s.healing.rememberStream(cfg)
	return b
}

// openStream creates or updates the bucket's stream, and returns the key-value view of it.
func (b *Bucket) openStream(ctx context.Context) (jetstream.KeyValue, error) {
	err := b.store.createStream(ctx, b.stream)
	if b.stream.Replicas > 1 && tooFewServers(err) {
		b.stream.Replicas = 1
		err = b.store.createStream(ctx, b.stream)
	}
	if err != nil {
		return nil, err
	}
	kv, err := b.store.js.KeyValue(ctx, "wxgate_"+b.name)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kv = kv
	return kv, err
}

// keyValue returns the key-value view of the bucket's stream. It opens the bucket if the store was unreachable until now.
func (b *Bucket) keyValue(ctx context.Context) (jetstream.KeyValue, error) {
	b.mu.Lock()
	kv := b.kv
	b.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	if !b.store.IsConnected() {
		return nil, nats.ErrConnectionReconnecting
	}
	opened := b.opens.DoChan("", func() (any, error) {
		own, cancel := context.WithTimeout(b.store.ctx, answerTime)
		defer cancel()
		return b.openStream(own)
	})
	select {
	case r := <-opened:
		kv, _ := r.Val.(jetstream.KeyValue)
		return kv, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// createStream creates or updates a stream. A cluster that has just started, or that gets two requests for one stream at once,
// may not answer: createStream tries again while ctx lasts.
func (s *Store) createStream(ctx context.Context, cfg jetstream.StreamConfig) error {
	for {
		limited, cancel := context.WithTimeout(ctx, answerTime)
		_, err := s.js.CreateOrUpdateStream(limited, cfg)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// tooFewServers reports whether a cluster is too small for the requested replicas. After another error a bucket keeps its
// replicas.
func tooFewServers(err error) bool {
	return isAPIError(err, 10005, 10023, 10074) // no suitable peers, insufficient resources, not a cluster
}

// isAPIError reports whether an error is one of JetStream's with one of these codes.
func isAPIError(err error, errcodes ...jetstream.ErrorCode) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if slices.Contains(errcodes, api.ErrorCode) {
			return true
		}
	}
	return false
}

// isConflict reports whether a write was rejected because another one came first. Buckets with and without replicas report it
// differently, and nats.go does not translate it everywhere.
func isConflict(err error) bool {
	return isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
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
