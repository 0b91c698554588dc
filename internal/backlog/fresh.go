package backlog

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// stillAfter is how long a replica did not hear its own signs where it stood still, or was cut off from the store.
	stillAfter = 3 * time.Second
	// catchUp is how long it then takes to hear of everything that it missed.
	catchUp = 3 * time.Second
	// lookTime is how long a look into the store may keep a message waiting, and lookPause how long there is none after
	// one that failed.
	lookTime  = 300 * time.Millisecond
	lookPause = time.Second
)

// freshness tells whether what a replica knows of the records may be old.
type freshness struct {
	start  time.Time
	last   atomic.Int64 // when its sign came back through the store, since start
	until  atomic.Int64 // what is known may be old until then, since start
	paused atomic.Int64 // no look into the store until then, since start
}

// heard notes that a sign of this replica came back.
func (f *freshness) heard() {
	now := time.Since(f.start)
	if now-time.Duration(f.last.Load()) > stillAfter {
		f.until.Store(int64(now + catchUp))
	}
	f.last.Store(int64(now))
}

func (f *freshness) old() bool {
	now := time.Since(f.start)
	return now < time.Duration(f.until.Load()) || now-time.Duration(f.last.Load()) > stillAfter
}

// Known tells whether a message is stored, and what its user was told meanwhile. It costs no look into the store, unless
// this replica stood still or was cut off a moment ago.
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
	return b.look(ctx, key)
}

// look looks for a message in the store, which may be away.
func (b *Backlog) look(ctx context.Context, key wechatv1.Key) (text string, known bool) {
	now := time.Since(b.fresh.start)
	if now < time.Duration(b.fresh.paused.Load()) {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	w := &Work{b: b, id: key.ID()}
	err := w.load(ctx)
	if err != nil && !errors.Is(err, ErrTaken) {
		b.fresh.paused.Store(int64(now + lookPause))
	}
	return w.record.Text, err == nil
}
