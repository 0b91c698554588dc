package backlog

import (
	"context"
	"sync/atomic"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// lookEvery is how often a replica looks whether it stood still, or lost the store.
	lookEvery = 200 * time.Millisecond
	// stillAfter is how long it stood still where it did.
	stillAfter = 2 * time.Second
	// catchUp is how long it then takes to hear of everything that it missed.
	catchUp = 3 * time.Second
)

// freshness tells whether what a replica knows of the records may be old: after it stood still, or was without the store.
type freshness struct {
	start  time.Time
	looked atomic.Int64 // since start
	until  atomic.Int64 // what is known may be old until then, since start
}

// look notes that this replica runs, and whether it is connected.
func (f *freshness) look(connected bool) {
	now := time.Since(f.start)
	if !connected || now-time.Duration(f.looked.Load()) > stillAfter {
		f.until.Store(int64(now + catchUp))
	}
	f.looked.Store(int64(now))
}

func (f *freshness) old() bool {
	now := time.Since(f.start)
	return now < time.Duration(f.until.Load()) || now-time.Duration(f.looked.Load()) > stillAfter
}

// watch looks until ctx ends.
func (f *freshness) watch(ctx context.Context, connected func() bool) {
	for again := true; again; again = sleep(ctx, lookEvery) {
		f.look(connected())
	}
}

// Known tells whether a message is stored, and what its user was told meanwhile. It costs no look into the store, unless
// this process stood still a moment ago.
func (b *Backlog) Known(ctx context.Context, msg *wechatv1.Message) (text string, known bool) {
	old := b.store.Shared() && b.fresh.old()
	if !old && b.index.empty() {
		return "", false
	}
	key, ok := msg.Key()
	if !ok {
		return "", false
	}
	if r, known := b.index.find(key); known || !old {
		return r.Text, known
	}
	w := &Work{b: b, id: key.ID()}
	if w.load(ctx) != nil {
		return "", false
	}
	return w.record.Text, true
}
