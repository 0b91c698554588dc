package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Table holds records by key, which all replicas watch. Who changes one says which state of it they saw, and changes
// nothing where that is not the last one. Keys are letters, digits, "-" and "_".
type Table struct {
	bucket *Bucket
	prefix string // of a key's subject
}

// Table opens a table, whose records live so long where they are put without a life of their own.
func (s *Store) Table(ctx context.Context, name string, life time.Duration) (*Table, error) {
	storage := jetstream.FileStorage
	if !s.Durable() {
		storage = jetstream.MemoryStorage
	}
	return s.table(ctx, name, life, storage)
}

// Signs opens a table for what is put again and again, and matters for seconds.
func (s *Store) Signs(ctx context.Context, name string, life time.Duration) (*Table, error) {
	name, storage := s.brief(name)
	return s.table(ctx, name, life, storage)
}

func (s *Store) table(ctx context.Context, name string, life time.Duration, storage jetstream.StorageType) (*Table, error) {
	b := s.newBucket(jetstream.StreamConfig{Name: name, MaxAge: life, Storage: storage, AllowMsgTTL: true})
	if _, err := b.open(ctx); err != nil {
		return nil, fmt.Errorf("store: table %s: %w", name, failure(ctx, err))
	}
	return &Table{b, "$KV.wxgate_" + name + "."}, nil
}

// Put sets a record that still is at a revision, 0 where there is none, and returns its new one: 0 where it is not.
// life is how long it lives, in whole seconds; 0: as the table says. The error is ErrAway or the context's, and then the
// record may be set nevertheless; or ErrRejected, and then it never will be.
func (t *Table) Put(ctx context.Context, key string, value []byte, revision uint64, life time.Duration) (put uint64, err error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	options := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(revision)}
	if life > 0 {
		options = append(options, jetstream.WithMsgTTL(life))
	}
	ack, err := t.bucket.store.js.PublishMsg(limited, &nats.Msg{Subject: t.prefix + key, Data: value}, options...)
	switch {
	case isLate(err):
		return 0, nil
	case err != nil:
		return 0, t.bucket.wrote(ctx, err)
	}
	return ack.Sequence, nil
}

// Get returns a record and its revision, 0 where there is none.
func (t *Table) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	return t.bucket.look(ctx, key)
}

// Size returns how many bytes the records have on disk.
func (t *Table) Size(ctx context.Context) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := t.bucket.values(limited)
	if err != nil {
		return 0, failure(ctx, err)
	}
	status, err := kv.Status(limited)
	if err != nil {
		return 0, failure(ctx, err)
	}
	return status.Bytes(), nil
}

// Set sets a record, whatever it was.
func (t *Table) Set(ctx context.Context, key string, value []byte) error {
	return t.bucket.Put(ctx, key, value)
}

// Delete removes a record.
func (t *Table) Delete(ctx context.Context, key string) error {
	return t.bucket.Delete(ctx, key)
}

// Record is a record as it is since a change.
type Record struct {
	Key      string
	Value    []byte // nil: it was deleted
	Revision uint64
}

// Watch tells of all records, calls loaded, and then tells of each change, until ctx ends. Where the store was away it
// tells of all of them anew; loaded is called each time.
func (t *Table) Watch(ctx context.Context, changed func(Record), loaded func()) {
	for ctx.Err() == nil {
		t.watch(ctx, changed, loaded)
		select {
		case <-ctx.Done():
		case <-time.After(lookForCluster):
		}
	}
}

// loadQuiet is how long a watch may hear nothing before all that was stored counts as loaded: NATS says so after the last
// value only if it could read all of them.
const loadQuiet = 3 * time.Second

// watch is Watch while the connection lasts: what was being told before it broke would come again after long only.
func (t *Table) watch(ctx context.Context, changed func(Record), loaded func()) {
	reconnected := t.bucket.store.reconnected.next()
	kv, err := t.bucket.values(ctx)
	if err != nil {
		return
	}
	stored := uint64(0)
	if status, err := kv.Status(ctx); err == nil {
		stored = status.Values()
	}
	watcher, err := kv.WatchAll(ctx)
	if err != nil {
		return
	}
	defer func() { _ = watcher.Stop() }()
	quiet := time.NewTimer(loadQuiet)
	defer quiet.Stop()
	for read := uint64(0); ; {
		select {
		case entry, more := <-watcher.Updates():
			switch {
			case !more:
				return
			case entry == nil:
				if server := t.bucket.store.server; quiet.Stop() && server != nil {
					server.compareInventory() // some damage is found only when the values are read
				}
				loaded()
				continue
			case entry.Operation() == jetstream.KeyValuePut:
				changed(Record{entry.Key(), entry.Value(), entry.Revision()})
			default:
				changed(Record{entry.Key(), nil, entry.Revision()})
			}
			if read++; quiet.Stop() { // not loaded yet
				quiet.Reset(loadQuiet)
			}
		case <-quiet.C:
			t.warnUnread(stored, read)
			loaded()
		case <-reconnected:
			return
		}
	}
}

// warnUnread logs that a data directory holds more values than could be read.
func (t *Table) warnUnread(stored, read uint64) {
	if s := t.bucket.store; read < stored && s.server != nil {
		s.env.Log.Error("the data directory is damaged: values cannot be read", "bucket", t.bucket.name, "values", stored, "read", read)
	}
}

// bell wakes all who wait for its next ring. The zero bell is ready.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns what is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
