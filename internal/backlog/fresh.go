package backlog

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// stillAfter is how long a replica did not hear its own signs where it stood still, or was cut off from the store.
	stillAfter = 3 * time.Second
	// catchUpTime is how long a message may wait until the replica heard of everything that it missed then, and
	// catchUpPause how long none waits after that took too long.
	catchUpTime  = 2 * time.Second
	catchUpPause = 5 * time.Second
)

// marks begins the keys of marks among the records: a replica sets one, and has heard of all before when it hears of it.
const marks = "mark-"

// freshness tells whether what a replica knows of the records may be old. It is safe for concurrent use.
type freshness struct {
	flight singleflight.Group

	mu      sync.Mutex
	old     bool          // until a mark was heard
	last    time.Time     // when its sign came back through the store
	paused  time.Time     // no mark is set before
	mark    string        // the one that was set last
	arrived chan struct{} // closed when that is heard
	life    context.Context
}

func (f *freshness) init() { f.old, f.last, f.life = true, time.Now(), context.Background() }

// live sets when the replica ends.
func (f *freshness) live(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life = ctx
}

// heard notes that a sign of this replica came back.
func (f *freshness) heard() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.old = f.old || time.Since(f.last) > stillAfter
	f.last = time.Now()
}

func (f *freshness) isOld() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.old || time.Since(f.last) > stillAfter
}

// next returns a mark to set, and what is closed when it is heard; "" where the last one took too long.
func (f *freshness) next() (life context.Context, mark string, arrived <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.paused) {
		return nil, "", nil
	}
	f.mark, f.arrived = rand.Text(), make(chan struct{})
	return f.life, f.mark, f.arrived
}

// hears notes a mark that came back.
func (f *freshness) hears(mark string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mark != "" && mark == f.mark {
		close(f.arrived)
		f.mark, f.old, f.last = "", false, time.Now()
	}
}

func (f *freshness) pause() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = time.Now().Add(catchUpPause)
}

// Known tells whether a message is stored, and what its user was told meanwhile. It costs no look into the store, unless
// this replica stood still or was cut off a moment ago: then it catches up first. sure is false where it could not: what it
// does not know may be stored.
func (b *Backlog) Known(ctx context.Context, msg *wechatv1.Message) (text string, known, sure bool) {
	sure = true
	if b.store.Shared() && b.fresh.isOld() {
		b.catchUp(ctx)
		sure = !b.fresh.isOld()
	}
	if b.index.empty() {
		return "", false, sure
	}
	key, ok := msg.Key()
	if !ok {
		return "", false, sure
	}
	r, known := b.index.find(key)
	return r.Text, known, sure
}

// catchUp waits until this replica heard of all that is stored by now, for no more than half of what ctx leaves.
func (b *Backlog) catchUp(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	done := b.fresh.flight.DoChan("", func() (any, error) {
		b.setMark()
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// setMark sets a mark and waits until it is heard.
func (b *Backlog) setMark() {
	if !b.store.Connected() {
		return
	}
	ctx, mark, arrived := b.fresh.next()
	if mark == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	table, err := b.table(ctx)
	if err == nil {
		err = table.Set(ctx, marks+b.replicas.me, []byte(mark))
	}
	if err == nil {
		select {
		case <-arrived:
			return
		case <-ctx.Done():
		}
	}
	b.fresh.pause()
}

// heardMark takes note of a record that is a mark; false where it is none.
func (b *Backlog) heardMark(id string, value []byte) bool {
	if b.heardGoodbye(id, value) {
		return true
	}
	if !strings.HasPrefix(id, marks) {
		return false
	}
	if id == marks+b.replicas.me {
		b.fresh.hears(string(value))
	}
	return true
}
