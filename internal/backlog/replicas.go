package backlog

import (
	"context"
	"crypto/rand"
	"hash/fnv"
	"sync"
	"time"

	"wxgate/internal/store"
)

const (
	// signEvery is how often a replica says that it is alive.
	signEvery = time.Second
	// signAgain is how soon it says so again where the store did not hear it.
	signAgain = 200 * time.Millisecond
	// deadAfter is how many signs of its own a replica sees before one that was silent meanwhile is dead. No clock is
	// compared, and where the store is away nobody dies of that.
	deadAfter = 10
	// signLife is how long the store keeps a sign.
	signLife = 30 * time.Second
)

// replicas are those that work on messages: this one, and those that give signs. It is safe for concurrent use.
type replicas struct {
	me string // of this process: after a restart it is another

	mu    sync.Mutex
	beats int            // signs of this replica that came back through the store
	last  map[string]int // of each replica: the beat at its last sign, or when it was first asked for
	// goodbyes are the replicas that ended in order.
	goodbyes map[string]bool
}

func (r *replicas) init() {
	r.me, r.last, r.goodbyes = rand.Text(), map[string]int{}, map[string]bool{}
}

// saw takes note of a sign; alive is false where the replica says goodbye.
func (r *replicas) saw(replica string, alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !alive:
		r.last[replica] = r.beats - deadAfter
	case replica == r.me:
		r.beats++
	default:
		r.last[replica] = r.beats
	}
}

// alive tells whether a replica gives signs. This one always does.
func (r *replicas) alive(replica string) bool {
	if replica == r.me {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, seen := r.last[replica]
	if !seen {
		last = r.beats
		r.last[replica] = last
	}
	return r.beats-last < deadAfter
}

// sign gives signs until ctx ends, and says goodbye then.
func (r *replicas) sign(ctx context.Context, signs *store.Table) {
	for wait := time.Duration(0); sleep(ctx, wait); {
		wait = signEvery
		if signs.Set(ctx, r.me, []byte("alive")) != nil {
			wait = signAgain
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = signs.Delete(ctx, r.me)
}

// preferred tells whether of all replicas that are alive this one should work on a user's messages: the one whose hash
// with the user is the highest.
func (r *replicas) preferred(u user) bool {
	mine := rank(r.me, u)
	r.mu.Lock()
	defer r.mu.Unlock()
	for replica, last := range r.last {
		if r.beats-last < deadAfter && rank(replica, u) > mine {
			return false
		}
	}
	return true
}

func rank(replica string, u user) uint64 {
	h := fnv.New64a()
	for _, part := range []string{u.account, u.openid, replica} {
		_, _ = h.Write([]byte(part)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}
