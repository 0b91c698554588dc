// Package backlog keeps the messages whose answers are owed: those that were not ready while WeChat waited. Each is a
// record in the store, which all replicas see and one at a time works on; where that one dies another goes on. A message
// that is answered in time touches none of it.
//
// What keeps two replicas from answering one message: a record changes only from the state that its replica saw last,
// and an answer is sent only after the record says so.
package backlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	"wxgate/internal/store"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Errors of storing a message. There is store.ErrAway besides.
var (
	ErrFull  = errors.New("too many messages wait for their answers")
	ErrNoKey = errors.New("the message is none that WeChat sent")
	// ErrTaken is the error of who works on a message that is another replica's by now, or ended.
	ErrTaken = errors.New("another replica works on the message")
	// ErrRejected is the error of a record that the store will never take as it is; ErrTooLarge is one of them.
	ErrRejected = store.ErrRejected
	ErrTooLarge = store.ErrTooLarge
)

// Config is what a Backlog needs.
type Config struct {
	Env   service.Env
	Store *store.Store
	Size  int // bytes of all records; a message beyond that is refused with ErrFull
}

// Backlog is what a replica sees of the messages whose answers are owed.
type Backlog struct {
	env   service.Env
	store *store.Store
	size  int

	opening sync.Mutex
	records *store.Table // nil until the store was there once

	index    index
	replicas replicas
	works    works
	answered recent // by this process
	stored   recent // likewise
	fresh    freshness
	kick     chan struct{} // something is there to be taken
	orphans  []orphan      // found by Next and not looked at yet
	loaded   chan struct{} // closed when the records that were stored before are known
	ended    *prometheus.CounterVec
}

// New returns a Backlog. It needs the store only later: one that is away is looked for.
func New(cfg Config) *Backlog {
	b := &Backlog{env: cfg.Env, store: cfg.Store, size: cfg.Size, kick: make(chan struct{}, 1), loaded: make(chan struct{})}
	b.index.init()
	b.replicas.init()
	b.answered.init()
	b.stored.init()
	b.fresh.init()
	return b
}

// table returns the records, opened.
func (b *Backlog) table(ctx context.Context) (*store.Table, error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	if b.records != nil {
		return b.records, nil
	}
	var err error
	b.records, err = b.store.Table(ctx, "backlog", keepAll)
	return b.records, err
}

// Store stores a message that came at a time, and that nobody works on yet: the first replica that is free does. One that
// is stored already is not stored again. If later is true the user's next message gets the answer, else it is sent; text is what
// the user is told meanwhile, "" for nothing. The error is ErrFull, ErrNoKey,
// ErrRejected, store.ErrAway or the context's; with the last two it may be stored nevertheless.
func (b *Backlog) Store(ctx context.Context, msg *wechatv1.Message, came time.Time, later bool, text string) error {
	key, ok := msg.Key()
	if !ok {
		return ErrNoKey
	}
	table, err := b.table(ctx)
	if err != nil {
		return err
	}
	size, err := table.Size(ctx)
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
	if _, err = table.Put(ctx, key.ID(), r.encode(), 0, r.life()); err == nil {
		b.stored.add(hashOf(key))
	}
	if ctx.Err() != nil {
		return b.Explain(err)
	}
	return err
}

// Explain adds why the store cannot write to the error of who waited for it; nil stays nil.
func (b *Backlog) Explain(err error) error {
	trouble := b.store.Trouble()
	if err == nil || trouble == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, trouble)
}

// StoredHere tells whether this process stored a message a moment ago.
func (b *Backlog) StoredHere(msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	return ok && b.stored.has(hashOf(key))
}

// lookTime is how long a look into the store may take while WeChat waits.
const lookTime = 400 * time.Millisecond

// Stored looks into the store, and tells whether a message is there. Where the store is away it is not.
func (b *Backlog) Stored(ctx context.Context, msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	if !ok || !b.store.Connected() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	table, err := b.table(ctx)
	if err != nil {
		return false
	}
	_, revision, err := table.Get(ctx, key.ID())
	return err == nil && revision != 0
}

// Serve watches the messages, and tells others that this replica is alive, until ctx ends. Without it nothing is taken.
func (b *Backlog) Serve(ctx context.Context) {
	defer b.sayGoodbye(ctx)
	b.fresh.live(ctx)
	_ = b.hear() // where the store is closed nobody is told anything
	var table, signs *store.Table
	for err := errors.New("not yet"); err != nil; {
		limited, cancel := context.WithTimeout(ctx, openTime)
		if table, err = b.table(limited); err == nil {
			signs, err = b.store.Signs(limited, "replicas", signLife)
		}
		cancel()
		if err != nil && !sleep(ctx, lookAgain) {
			return
		}
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		loaded := sync.OnceFunc(func() { close(b.loaded) })
		table.Watch(ctx, func(r store.Record) { b.saw(r.Key, r.Value, r.Revision) }, func() { loaded(); b.Wake() })
	})
	if b.store.Shared() {
		all.Go(func() {
			signs.Watch(ctx, func(r store.Record) {
				b.replicas.saw(r.Key, r.Value != nil)
				if r.Key != b.replicas.me {
					return
				}
				if b.fresh.heard(); b.fresh.isOld() {
					go b.catchUp(ctx) // before a message needs it
				}
			}, func() {})
		})
		all.Go(func() { b.replicas.sign(ctx, signs) })
	}
	all.Go(func() { b.sweep(ctx) })
}

const (
	openTime  = 5 * time.Second
	lookAgain = 500 * time.Millisecond
)

// Observe registers what metrics tell of the backlog.
func (b *Backlog) Observe(metrics prometheus.Registerer) {
	b.ended = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_deliveries_total",
		Help: "Messages that were not answered while WeChat waited, by how they ended: sent, silent, refused, given_up, expired, dropped, uncertain.",
	}, []string{"outcome"})
	metrics.MustRegister(b.ended)
	for name, gauge := range map[string]struct {
		help string
		of   func(counts) int
	}{
		"wxgate_backlog_waiting": {"Messages that wait for their answers, of all replicas.", func(c counts) int { return c.open }},
		"wxgate_backlog_failed":  {"Messages that ended without their answers within WeChat's window, of all replicas.", func(c counts) int { return c.failed }},
		"wxgate_backlog_bytes":   {"What the messages take in the store, in bytes.", func(c counts) int { return c.bytes }},
	} {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: gauge.help},
			func() float64 { return float64(gauge.of(b.index.count())) }))
	}
}

// Wake has Next look at once.
func (b *Backlog) Wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// saw takes note of a record's change.
func (b *Backlog) saw(id string, value []byte, revision uint64) {
	if b.heardMark(id, value) {
		return
	}
	r, ok := decodeRecord(value)
	if !ok {
		if value != nil {
			b.env.Log.Warn("a stored message cannot be read; was it written by a newer version?", "delivery", id)
		}
		return
	}
	b.index.set(id, r, len(value), revision)
	if !ended(r.State) && r.Owner == "" {
		b.Wake()
	}
}

// sweep ends what nobody works on when WeChat's window ends, and forgets what the store has forgotten.
func (b *Backlog) sweep(ctx context.Context) {
	for sleep(ctx, sweepEvery) {
		b.end(ctx)
	}
}

func (b *Backlog) end(ctx context.Context) {
	for _, e := range b.index.stale() {
		w := &Work{b: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
		if err := w.load(ctx); err == nil {
			_ = w.End(ctx, Expired, "", "") // another replica may have done it
		}
	}
}

const sweepEvery = 30 * time.Second

// sleep waits; false where ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func timestamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

// note ends a message in metrics and log.
func (b *Backlog) note(r *Record) {
	if b.ended != nil {
		b.ended.WithLabelValues(outcome(r.State)).Inc()
	}
	log := b.env.Log.Info
	if failed(r.State) {
		log = b.env.Log.Warn
	}
	log("delivery", "delivery", r.Key.ID(), "account", r.Key.Account, "user", service.Short(r.Key.From), "msg_type", r.MsgType, "event", r.Event,
		"outcome", outcome(r.State), "reason", r.Reason, "errcode", r.Errcode, "parts", r.Parts, "parts_sent", r.Sent, "retries", r.Retries,
		"takes", r.Takes, "seconds", fmt.Sprintf("%.1f", time.Since(r.Came).Seconds()))
}
