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
	// stillAfter is how long a replica misses its own heartbeats before it counts as having stood still or been cut off.
	stillAfter = 3 * time.Second
	// catchUpTime is how long a message may wait for the replica to catch up. If that took too long, no message waits
	// for the next catchUpPause.
	catchUpTime  = 2 * time.Second
	catchUpPause = 5 * time.Second
)

// markerPrefix begins the keys of markers among the records. A replica writes one; when it hears its marker, it has heard of
// all records before it.
const markerPrefix = "mark-"

// feedState is how far this replica has followed the changes of the records. It is safe for concurrent use.
type feedState struct {
	flight singleflight.Group

	mu            sync.Mutex
	behind        bool            // changes may have been missed, until a marker is heard
	lastHeartbeat time.Time       // when this replica's heartbeat came back through the store
	pausedUntil   time.Time       // no marker is written before
	marker        string          // written last; "" once it was heard
	arrived       chan struct{}   // closed when marker is heard
	lifetime      context.Context // of the replica
}

func newFeedState() feedState {
	return feedState{behind: true, lastHeartbeat: time.Now(), lifetime: context.Background()}
}

// setLifetime sets the context that ends with the replica.
func (f *feedState) setLifetime(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lifetime = ctx
}

// noteHeartbeat notes that a heartbeat of this replica came back.
func (f *feedState) noteHeartbeat() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = f.behind || time.Since(f.lastHeartbeat) > stillAfter
	f.lastHeartbeat = time.Now()
}

// isBehind reports whether this replica may have missed changes.
func (f *feedState) isBehind() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.behind || time.Since(f.lastHeartbeat) > stillAfter
}

// newMarker returns a marker to write, and a channel that is closed when it is heard. The marker is "" if the last one took
// too long.
func (f *feedState) newMarker() (lifetime context.Context, marker string, arrived <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.pausedUntil) {
		return nil, "", nil
	}
	f.marker, f.arrived = rand.Text(), make(chan struct{})
	return f.lifetime, f.marker, f.arrived
}

// noteMarker notes a marker that came back.
func (f *feedState) noteMarker(marker string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.marker != "" && marker == f.marker {
		close(f.arrived)
		f.marker, f.behind, f.lastHeartbeat = "", false, time.Now()
	}
}

// pauseMarkers makes newMarker return none for a while.
func (f *feedState) pauseMarkers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pausedUntil = time.Now().Add(catchUpPause)
}

// Lookup reports whether a message is stored, and returns the text that its user was told meanwhile. It does not ask the
// store, unless this replica stood still or was cut off: then it catches up first. sure is false if it could not: the message
// may be stored although known is false.
func (b *Backlog) Lookup(ctx context.Context, msg *wechatv1.Message) (text string, known, sure bool) {
	sure = true
	if b.store.IsShared() && b.feed.isBehind() {
		b.catchUp(ctx)
		sure = !b.feed.isBehind()
	}
	if b.index.isEmpty() {
		return "", false, sure
	}
	key, ok := msg.Key()
	if !ok {
		return "", false, sure
	}
	r, known := b.index.findByKey(key)
	return r.Text, known, sure
}

// catchUp waits until this replica has heard of all changes up to now, for half of ctx's time at most.
func (b *Backlog) catchUp(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	done := b.feed.flight.DoChan("", func() (any, error) {
		b.awaitMarker()
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// awaitMarker writes a marker and waits until it is heard.
func (b *Backlog) awaitMarker() {
	if !b.store.IsConnected() {
		return
	}
	ctx, marker, arrived := b.feed.newMarker()
	if marker == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	table, err := b.openTable(ctx)
	if err == nil {
		err = table.Put(ctx, markerPrefix+b.replicas.me, []byte(marker))
	}
	if err == nil {
		select {
		case <-arrived:
			return
		case <-ctx.Done():
		}
	}
	b.feed.pauseMarkers()
}

// handleMarker notes a record that is a marker. It reports false for any other record.
func (b *Backlog) handleMarker(id string, value []byte) bool {
	if b.handleGoodbye(id, value) {
		return true
	}
	if !strings.HasPrefix(id, markerPrefix) {
		return false
	}
	if id == markerPrefix+b.replicas.me {
		b.feed.noteMarker(string(value))
	}
	return true
}
