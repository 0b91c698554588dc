package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wxgate/internal/service"
)

// Table holds records by key, which all replicas watch. A replica that changes a record names the revision that it saw, and
// changes nothing if the record has a newer one. Keys consist of letters, digits, "-" and "_".
type Table struct {
	bucket *Bucket
	prefix string // of a key's subject
}

// Table opens a table. life is how long records live that are put without a life of their own.
func (s *Store) Table(ctx context.Context, name string, life time.Duration) (*Table, error) {
	storage := jetstream.FileStorage
	if !s.IsDurable() {
		storage = jetstream.MemoryStorage
	}
	return s.openTable(ctx, name, life, storage)
}

// ShortLivedTable opens a table for records that are put again and again, and matter for seconds.
func (s *Store) ShortLivedTable(ctx context.Context, name string, life time.Duration) (*Table, error) {
	name, storage := s.shortLivedStorage(name)
	return s.openTable(ctx, name, life, storage)
}

func (s *Store) openTable(ctx context.Context, name string, life time.Duration, storage jetstream.StorageType) (*Table, error) {
	b := s.newBucket(jetstream.StreamConfig{Name: name, MaxAge: life, Storage: storage, AllowMsgTTL: true})
	if _, err := b.openStream(ctx); err != nil {
		return nil, fmt.Errorf("store: table %s: %w", name, classifyError(ctx, err))
	}
	return &Table{b, "$KV.wxgate_" + name + "."}, nil
}

// PutIfRevision updates a record if it is still at revision (0: it must not exist). It returns the new revision, or 0 on a
// conflict. life is how long the record lives, in whole seconds; 0: the table's default. After ErrUnavailable or the
// context's error the record may be updated nevertheless; after ErrRejected it is not.
func (t *Table) PutIfRevision(ctx context.Context, key string, value []byte, revision uint64, life time.Duration) (put uint64, err error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	options := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(revision)}
	if life > 0 {
		options = append(options, jetstream.WithMsgTTL(life))
	}
	ack, err := t.bucket.store.js.PublishMsg(limited, &nats.Msg{Subject: t.prefix + key, Data: value}, options...)
	switch {
	case isConflict(err):
		return 0, nil
	case err != nil:
		return 0, t.bucket.writeFailed(ctx, err)
	}
	return ack.Sequence, nil
}

// Get returns a record and its revision; revision 0 means the key does not exist.
func (t *Table) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	return t.bucket.lookUp(ctx, key)
}

// DiskSize returns how many bytes the records take on disk.
func (t *Table) DiskSize(ctx context.Context) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kv, err := t.bucket.keyValue(limited)
	if err != nil {
		return 0, classifyError(ctx, err)
	}
	status, err := kv.Status(limited)
	if err != nil {
		return 0, classifyError(ctx, err)
	}
	return status.Bytes(), nil
}

// Put sets a record at any revision.
func (t *Table) Put(ctx context.Context, key string, value []byte) error {
	return t.bucket.Put(ctx, key, value)
}

// Delete removes a record.
func (t *Table) Delete(ctx context.Context, key string) error {
	return t.bucket.Delete(ctx, key)
}

// Record is a record after a change.
type Record struct {
	Key      string
	Value    []byte // nil: it was deleted
	Revision uint64
}

// Watch calls changed for each record, then loaded, and then changed for each change, until ctx ends. After the store was
// unreachable it starts again with all records; loaded is called each time.
func (t *Table) Watch(ctx context.Context, changed func(Record), loaded func()) {
	for ctx.Err() == nil {
		t.watchConnection(ctx, changed, loaded)
		service.SleepContext(ctx, lookForCluster)
	}
}

// loadQuiet is how long no record may arrive before all count as loaded: NATS marks the last record only if it could read all
// of them.
const loadQuiet = 3 * time.Second

// watchConnection is Watch for as long as the connection lasts: NATS would resume an interrupted watch only after a long time.
func (t *Table) watchConnection(ctx context.Context, changed func(Record), loaded func()) {
	reconnected := t.bucket.store.reconnected.nextWakeup()
	kv, err := t.bucket.keyValue(ctx)
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
					server.compareInventory() // the server finds some damage only when it reads the values
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
		s.env.Log.Error("the data directory is damaged: some values cannot be read", "bucket", t.bucket.name, "values", stored, "read", read)
	}
}

// wakeup wakes all goroutines that wait for it. The zero value is ready.
type wakeup struct {
	mu sync.Mutex
	ch chan struct{}
}

// nextWakeup returns a channel that is closed by the next wakeAll.
func (b *wakeup) nextWakeup() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *wakeup) wakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
