// Package backlog keeps the messages whose answers were not ready while WeChat waited. Each is a record in the store. All
// replicas see it, one at a time works on it, and if that one dies, another continues. A message that is answered in time
// has no record.
//
// Two replicas never answer one message: a record changes only from the revision that its replica saw last, and an answer
// is sent only after the record says so.
package backlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/service"
	"wxgate/internal/store"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Errors of storing a message. Another one is store.ErrUnavailable.
var (
	ErrFull  = errors.New("too many messages wait for their answers")
	ErrNoKey = errors.New("the message is not one that WeChat sent")
	// ErrTaken means that the message is another replica's by now, or has ended.
	ErrTaken = errors.New("another replica works on the message")
	// ErrRejected means that the store will never take the record as it is. ErrTooLarge is one such error.
	ErrRejected = store.ErrRejected
	ErrTooLarge = store.ErrTooLarge
)

// Config configures a Backlog.
type Config struct {
	Env   service.Env
	Store *store.Store
	Size  int // bytes of all records; further messages are rejected with ErrFull
}

// Backlog is one replica's view of the stored messages. It is safe for concurrent use.
type Backlog struct {
	env   service.Env
	store *store.Store
	size  int

	opening sync.Mutex
	records *store.Table // nil until the store was reached once

	index        recordIndex
	replicas     replicaSet
	active       activeMessages
	answeredKeys recentKeys // by this process
	storedKeys   recentKeys // likewise
	feed         feedState
	wake         chan struct{} // there may be a message to take over
	orphans      []orphan      // found by Next and not looked at yet
	loaded       chan struct{} // closed when all records of before are known
	endings      *prometheus.CounterVec
}

// New returns a Backlog. An unreachable store is tried again later.
func New(cfg Config) *Backlog {
	return &Backlog{
		env: cfg.Env, store: cfg.Store, size: cfg.Size,
		index: newRecordIndex(), replicas: newReplicaSet(), feed: newFeedState(),
		answeredKeys: newRecentKeys(), storedKeys: newRecentKeys(),
		wake: make(chan struct{}, 1), loaded: make(chan struct{}),
	}
}

// openTable returns the records' table. It opens the table at the first call.
func (b *Backlog) openTable(ctx context.Context) (*store.Table, error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	if b.records != nil {
		return b.records, nil
	}
	var err error
	b.records, err = b.store.Table(ctx, "backlog", keepAll)
	return b.records, err
}

// Store stores a message that arrived at came and that no replica works on yet: the first free one will. A message that is
// already stored stays as it is. If later is true, the user's next message fetches the answer, else the answer is sent. text
// is the reply meanwhile; "" for none. The error is ErrFull, ErrNoKey, ErrRejected, store.ErrUnavailable or the context's; with the
// last two the message may be stored nevertheless.
func (b *Backlog) Store(ctx context.Context, msg *wechatv1.Message, came time.Time, later bool, text string) error {
	key, ok := msg.Key()
	if !ok {
		return ErrNoKey
	}
	table, err := b.openTable(ctx)
	if err != nil {
		return err
	}
	size, err := table.DiskSize(ctx)
	if err != nil {
		return err
	}
	if size >= uint64(b.size) {
		return ErrFull
	}
	r, err := newRecord(key, msg, came)
	if err != nil {
		return err
	}
	r.Later, r.Text = later, text
	if _, err = table.PutIfRevision(ctx, key.ID(), r.encode(), 0, r.timeToLive()); err == nil {
		b.storedKeys.addHashes(hashOf(key))
	}
	if ctx.Err() != nil {
		return b.ExplainError(err)
	}
	return err
}

// ExplainError adds the reason why the store cannot write to the error of a caller who waited for it; nil stays nil.
func (b *Backlog) ExplainError(err error) error {
	trouble := b.store.WriteError()
	if err == nil || trouble == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, trouble)
}

// StoredLocally reports whether this process stored a message lately: within answeredLife at least.
func (b *Backlog) StoredLocally(msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	return ok && b.storedKeys.hasHash(hashOf(key))
}

// lookTime is how long a look into the store may take while WeChat waits.
const lookTime = 400 * time.Millisecond

// IsStored asks the store, and reports whether a message is in it; false if the store is unreachable.
func (b *Backlog) IsStored(ctx context.Context, msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	if !ok || !b.store.IsConnected() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	table, err := b.openTable(ctx)
	if err != nil {
		return false
	}
	_, revision, err := table.Get(ctx, key.ID())
	return err == nil && revision != 0
}

// Serve watches the messages and sends heartbeats until ctx ends. Next returns nothing before Serve runs.
func (b *Backlog) Serve(ctx context.Context) {
	defer b.sayGoodbye(ctx)
	b.feed.setLifetime(ctx)
	_ = b.hearHandovers() // fails only if the store is closed
	var table, heartbeats *store.Table
	for err := errors.New("not yet"); err != nil; {
		limited, cancel := context.WithTimeout(ctx, openTime)
		if table, err = b.openTable(limited); err == nil {
			heartbeats, err = b.store.ShortLivedTable(limited, "replicas", heartbeatLife)
		}
		cancel()
		if err != nil && !service.SleepContext(ctx, lookAgain) {
			return
		}
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		loaded := sync.OnceFunc(func() { close(b.loaded) })
		table.Watch(ctx, func(r store.Record) { b.noteChange(r.Key, r.Value, r.Revision) }, func() { loaded(); b.WakeNext() })
	})
	if b.store.IsShared() {
		all.Go(func() {
			heartbeats.Watch(ctx, func(r store.Record) {
				b.replicas.noteHeartbeat(r.Key, r.Value != nil)
				if r.Key != b.replicas.me {
					return
				}
				if b.feed.noteHeartbeat(); b.feed.isBehind() {
					go b.catchUp(ctx) // so that no message has to wait for it
				}
			}, func() {})
		})
		all.Go(func() { b.replicas.sendHeartbeats(ctx, heartbeats) })
	}
	all.Go(func() { b.sweepExpired(ctx) })
}

const (
	openTime  = 5 * time.Second
	lookAgain = 500 * time.Millisecond
)

// RegisterMetrics registers the backlog's metrics.
func (b *Backlog) RegisterMetrics(metrics prometheus.Registerer) {
	b.endings = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_deliveries_total",
		Help: "Messages that were not answered while WeChat waited, by outcome: sent, silent, refused, given_up, expired, dropped, uncertain.",
	}, []string{"outcome"})
	metrics.MustRegister(b.endings)
	for name, gauge := range map[string]struct {
		help string
		of   func(recordCounts) int
	}{
		"wxgate_backlog_waiting": {"Stored messages that wait for their answers, of all replicas.", func(c recordCounts) int { return c.open }},
		"wxgate_backlog_failed":  {"Stored messages that ended without an answer within WeChat's window, of all replicas.", func(c recordCounts) int { return c.failed }},
		"wxgate_backlog_bytes":   {"Bytes of the stored messages.", func(c recordCounts) int { return c.bytes }},
	} {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: gauge.help},
			func() float64 { return float64(gauge.of(b.index.countRecords())) }))
	}
}

// WakeNext makes Next look for messages at once.
func (b *Backlog) WakeNext() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// noteChange notes that a record changed. value is nil if the record was deleted.
func (b *Backlog) noteChange(id string, value []byte, revision uint64) {
	if b.handleMarker(id, value) {
		return
	}
	r, ok := decodeRecord(value)
	if !ok {
		if value != nil {
			b.env.Log.Warn("a stored message cannot be read; was it written by a newer version?", "delivery", id)
		}
		return
	}
	b.index.setRecord(id, r, len(value), revision)
	if !isEnded(r.State) && r.Owner == "" {
		b.WakeNext()
	}
}

// sweepExpired ends kept answers whose users did not fetch them within WeChat's window, until ctx ends.
func (b *Backlog) sweepExpired(ctx context.Context) {
	for service.SleepContext(ctx, sweepEvery) {
		b.endExpired(ctx)
	}
}

func (b *Backlog) endExpired(ctx context.Context) {
	b.index.removeForgotten()
	for _, e := range b.index.expiredAnswers() {
		w := &Work{backlog: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
		if err := w.loadRecord(ctx); err == nil {
			_ = w.End(ctx, Expired, "", "") // fails if another replica was faster
		}
	}
}

const sweepEvery = 30 * time.Second

// reportEnd logs and counts the end of a message.
func (b *Backlog) reportEnd(r *Record) {
	if b.endings != nil {
		b.endings.WithLabelValues(outcomeName(r.State)).Inc()
	}
	log := b.env.Log.Info
	if isFailed(r.State) {
		log = b.env.Log.Warn
	}
	log("delivery", "delivery", r.Key.ID(), "account", r.Key.Account, "user", service.ShortOpenID(r.Key.From), "msg_type", r.MsgType, "event", r.Event,
		"outcome", outcomeName(r.State), "reason", r.Reason, "errcode", r.Errcode, "parts", r.Parts, "parts_sent", r.Sent, "retries", r.Retries,
		"takes", r.Takes, "seconds", fmt.Sprintf("%.1f", time.Since(r.Came).Seconds()))
}
