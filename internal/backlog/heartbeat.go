package backlog

import (
	"context"
	"crypto/rand"
	"hash/fnv"
	"sync"
	"time"

	"wxgate/internal/service"
	"wxgate/internal/store"
)

const (
	// heartbeatEvery is how often a replica says that it is alive.
	heartbeatEvery = time.Second
	// heartbeatRetry is how soon it says so again if the store did not take the heartbeat.
	heartbeatRetry = 200 * time.Millisecond
	// deadAfter is how many of its own heartbeats a replica sees before it counts a silent one as dead. No clocks are compared,
	// and an unreachable store kills nobody.
	deadAfter = 10
	// heartbeatLife is how long the store keeps a heartbeat.
	heartbeatLife = 30 * time.Second
)

// replicaSet is the replicas that work on messages: this one, and those that send heartbeats. It is safe for concurrent use.
type replicaSet struct {
	me string // the id of this process; a new one after a restart

	mu            sync.Mutex
	heartbeats    int             // of this replica that came back through the store
	lastHeartbeat map[string]int  // by replica: the value of heartbeats at its last one, or when it was first asked for
	endedInOrder  map[string]bool // the replicas that said goodbye
}

func newReplicaSet() replicaSet {
	return replicaSet{me: rand.Text(), lastHeartbeat: map[string]int{}, endedInOrder: map[string]bool{}}
}

// noteHeartbeat notes a replica's heartbeat; alive is false if the replica deleted it because it ends.
func (r *replicaSet) noteHeartbeat(replica string, alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !alive:
		r.lastHeartbeat[replica] = r.heartbeats - deadAfter
	case replica == r.me:
		r.heartbeats++
	default:
		r.lastHeartbeat[replica] = r.heartbeats
	}
}

// isAlive reports whether a replica sends heartbeats. This one always counts as alive.
func (r *replicaSet) isAlive(replica string) bool {
	if replica == r.me {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, seen := r.lastHeartbeat[replica]
	if !seen {
		last = r.heartbeats
		r.lastHeartbeat[replica] = last
	}
	return r.heartbeats-last < deadAfter
}

// sendHeartbeats sends heartbeats until ctx ends, and then deletes the last one.
func (r *replicaSet) sendHeartbeats(ctx context.Context, heartbeats *store.Table) {
	for wait := time.Duration(0); service.SleepContext(ctx, wait); {
		wait = heartbeatEvery
		if heartbeats.Put(ctx, r.me, []byte("alive")) != nil {
			wait = heartbeatRetry
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = heartbeats.Delete(ctx, r.me)
}

// isPreferred reports whether this replica, of all that are alive, should work on a user's messages: it has the highest hash
// with the user.
func (r *replicaSet) isPreferred(u userKey) bool {
	mine := rankOf(r.me, u)
	r.mu.Lock()
	defer r.mu.Unlock()
	for replica, last := range r.lastHeartbeat {
		if r.heartbeats-last < deadAfter && rankOf(replica, u) > mine {
			return false
		}
	}
	return true
}

func rankOf(replica string, u userKey) uint64 {
	h := fnv.New64a()
	for _, part := range []string{u.account, u.openid, replica} {
		_, _ = h.Write([]byte(part)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}
