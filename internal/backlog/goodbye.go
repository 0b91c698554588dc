package backlog

import (
	"context"
	"strings"
	"time"
)

// goodbyePrefix begins the keys of notes by replicas that ended in order: they did not die over their messages. The notes have
// the form of markers, so that older versions ignore them.
const goodbyePrefix = markerPrefix + "ended-"

// goodbyeTime is how long a replica that ends may take to say so.
const goodbyeTime = time.Second

// sayGoodbye notes that this replica ended in order.
func (b *Backlog) sayGoodbye(ctx context.Context) {
	b.opening.Lock()
	table := b.records
	b.opening.Unlock()
	if table == nil { // it had no message
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
	defer cancel()
	_, _ = table.PutIfRevision(ctx, goodbyePrefix+b.replicas.me, []byte("ended"), 0, Window)
}

// handleGoodbye notes that a replica ended in order. It reports false if the key is not that of a goodbye.
func (b *Backlog) handleGoodbye(key string, value []byte) bool {
	replica, ok := strings.CutPrefix(key, goodbyePrefix)
	if ok && value != nil {
		b.replicas.noteGoodbye(replica)
	}
	return ok
}

// endedInOrder reports whether a replica that had a message did not die over it: it ended in order, or is this one.
func (b *Backlog) endedInOrder(owner string) bool {
	return owner == b.replicas.me || b.replicas.saidGoodbye(owner)
}

func (r *replicaSet) noteGoodbye(replica string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endedInOrder[replica] = true
}

func (r *replicaSet) saidGoodbye(replica string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endedInOrder[replica]
}
