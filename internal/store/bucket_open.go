package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

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
