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

// Bucket holds values by key. Each is forgotten some time after it was put. Keys are letters, digits, "-" and "_".
type Bucket struct {
	store  *Store
	name   string
	stream jetstream.StreamConfig // the values are in it
	once   singleflight.Group
	claims singleflight.Group
	opens  singleflight.Group

	mu sync.Mutex
	kv jetstream.KeyValue // nil until the store was there once
}

// Bucket opens a bucket whose values expire after life. Buckets are opened one after the other. In a Patient store that is
// unreachable it is opened when it is used first.
func (s *Store) Bucket(name string, life time.Duration) (*Bucket, error) {
	return s.BoundedBucket(name, life, 0)
}

// BoundedBucket opens a bucket that holds maxBytes at most, with all that a value takes on disk: the oldest values are
// forgotten earlier for new ones. 0: no bound of its own.
func (s *Store) BoundedBucket(name string, life time.Duration, maxBytes int64) (*Bucket, error) {
	storage := jetstream.FileStorage
	if !s.Durable() {
		storage = jetstream.MemoryStorage
	}
	if err := s.openLocks(); err != nil {
		return nil, err
	}
	return s.bucket(jetstream.StreamConfig{Name: name, MaxAge: life, Storage: storage, MaxBytes: maxBytes})
}

// brief returns name and storage of what matters for seconds. Servers of a cluster may all restart and know nothing of
// what was in their memory, while we go on.
func (s *Store) brief(name string) (string, jetstream.StorageType) {
	if s.Shared() {
		return "shared_" + name, jetstream.FileStorage
	}
	return name, jetstream.MemoryStorage
}

// openLocks opens the locks, once.
func (s *Store) openLocks() (err error) {
	if s.locks == nil {
		name, storage := s.brief("locks")
		s.locks, err = s.bucket(jetstream.StreamConfig{Name: name, MaxAge: s.lockLife, Storage: storage})
	}
	return err
}

// replicas is how many servers of a cluster keep a value.
const replicas = 3

func (s *Store) bucket(cfg jetstream.StreamConfig) (*Bucket, error) {
	limit := s.patience
	if s.patient {
		limit = answerTime
	}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	b := s.newBucket(cfg)
	if s.patient && !s.Connected() {
		return b, nil
	}
	_, err := b.open(ctx)
	if isLater := s.patient && errors.Is(failure(context.Background(), err), ErrAway); err != nil && !isLater {
		return nil, fmt.Errorf("store: bucket %s: %w", cfg.Name, err)
	}
	return b, nil
}

// newBucket returns a bucket that is not open yet. It is made of a stream with a subject for each key; cfg has what differs.
func (s *Store) newBucket(cfg jetstream.StreamConfig) *Bucket {
	b := &Bucket{store: s, name: cfg.Name}
	bucket := "wxgate_" + cfg.Name
	cfg.Name, cfg.Subjects = "KV_"+bucket, []string{"$KV." + bucket + ".>"}
	cfg.MaxMsgsPerSubject, cfg.Discard, cfg.AllowRollup, cfg.DenyDelete = 1, jetstream.DiscardNew, true, true
	if cfg.MaxBytes > 0 {
		cfg.Discard = jetstream.DiscardOld
	}
	cfg.Duplicates = min(cfg.MaxAge, 2*time.Minute)
	// Not AllowDirect: then any server answers a Get, also one that is behind, and a code would be exchanged twice.
	cfg.Replicas = replicas
	if s.server != nil {
		cfg.Replicas = 1
	}
	b.stream = cfg
	s.healing.remember(cfg)
	return b
}

// open creates or updates the bucket's stream, and returns what reads and writes it.
func (b *Bucket) open(ctx context.Context) (jetstream.KeyValue, error) {
	err := b.store.create(ctx, b.stream)
	if b.stream.Replicas > 1 && tooFewServers(err) {
		b.stream.Replicas = 1
		err = b.store.create(ctx, b.stream)
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

// values returns what reads and writes the bucket. It is opened if the store was unreachable until now.
func (b *Bucket) values(ctx context.Context) (jetstream.KeyValue, error) {
	b.mu.Lock()
	kv := b.kv
	b.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	if !b.store.Connected() {
		return nil, nats.ErrConnectionReconnecting
	}
	opened := b.opens.DoChan("", func() (any, error) {
		own, cancel := context.WithTimeout(b.store.ctx, answerTime)
		defer cancel()
		return b.open(own)
	})
	select {
	case r := <-opened:
		kv, _ := r.Val.(jetstream.KeyValue)
		return kv, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// create creates or updates a stream. A cluster that just began, or that is asked for one stream by two at once, may
// leave a question without an answer: it is asked again while ctx lasts.
func (s *Store) create(ctx context.Context, cfg jetstream.StreamConfig) error {
	for {
		limited, cancel := context.WithTimeout(ctx, answerTime)
		_, err := s.js.CreateOrUpdateStream(limited, cfg)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// tooFewServers tells whether a cluster is too small for the replicas asked for. With another error a bucket that has
// them keeps them.
func tooFewServers(err error) bool {
	return isAPIError(err, 10005, 10023, 10074) // no suitable peers, insufficient resources, not a cluster
}

// isAPIError tells whether an error is one of JetStream's.
func isAPIError(err error, errcodes ...jetstream.ErrorCode) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if slices.Contains(errcodes, api.ErrorCode) {
			return true
		}
	}
	return false
}

// isLate tells whether a write was refused because another came first. Buckets with and without replicas say it
// differently, and nats.go does not translate everywhere.
func isLate(err error) bool {
	return isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Get returns the value of a key; ok is false where there is none. The error is ErrAway or the context's.
func (b *Bucket) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	value, revision, err := b.look(ctx, key)
	return value, revision != 0, err
}

// answerTime is how long the store may take for one thing. Then it is away: the caller learns that within its own time.
const answerTime = 2 * time.Second

// look returns a value, and which of all that its bucket ever had it is: 0 where there is none.
func (b *Bucket) look(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.values(limited)
	if err != nil {
		return nil, 0, failure(ctx, err)
	}
	entry, err := kv.Get(limited, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, failure(ctx, err)
	}
	return entry.Value(), entry.Revision(), nil
}

// Put sets the value of a key.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.values(limited)
	if err == nil {
		_, err = kv.Put(limited, key, value)
	}
	if err != nil {
		return b.wrote(ctx, err)
	}
	return nil
}

// putAfter sets the value of a key that still is at a revision, and does nothing where it is not.
func (b *Bucket) putAfter(ctx context.Context, key string, value []byte, revision uint64) (put uint64, err error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.values(limited)
	switch {
	case err != nil:
	case revision == 0:
		put, err = kv.Create(limited, key, value)
	default:
		put, err = kv.Update(limited, key, value, revision)
	}
	switch {
	case isLate(err):
		return 0, nil
	case err != nil:
		return 0, b.wrote(ctx, err)
	}
	return put, nil
}

// Claim sets the value of a key that has none, and returns the value that it has then: another's, where that came first.
// Callers at the same time who claim the same share one claim.
func (b *Bucket) Claim(ctx context.Context, key string, value []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	done := b.claims.DoChan(key+" "+string(value), func() (any, error) {
		return b.claim(context.WithoutCancel(ctx), key, value)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		has, _ := r.Val.([]byte)
		return has, r.Err
	}
}

func (b *Bucket) claim(ctx context.Context, key string, value []byte) ([]byte, error) {
	for {
		put, err := b.putAfter(ctx, key, value, 0)
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

// Delete forgets a key.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.deleteAt(ctx, key, 0)
}

// DeleteIf forgets a key whose value is the one meant.
func (b *Bucket) DeleteIf(ctx context.Context, key string, meant func(value []byte) bool) error {
	value, revision, err := b.look(ctx, key)
	if err != nil || revision == 0 || !meant(value) {
		return err
	}
	return b.deleteAt(ctx, key, revision)
}

// deleteAt forgets a key that still is at a revision, 0 for any.
func (b *Bucket) deleteAt(ctx context.Context, key string, revision uint64) error {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := b.values(limited)
	if err == nil {
		err = kv.Purge(limited, key, jetstream.LastRevision(revision))
	}
	if err != nil && !isLate(err) {
		return b.wrote(ctx, err)
	}
	return nil
}
