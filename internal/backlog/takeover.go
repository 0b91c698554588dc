package backlog

import (
	"context"
	"fmt"
	"time"
)

const (
	// maxTakes is how many replicas may die in a row while they make the answer to a message. Beyond that the message is left
	// alone for a while, as it may be what kills them, and given up after takePatience.
	maxTakes = 5
	// takePause is how long such a message is left alone after each take.
	takePause = time.Minute
	// takePatience is how long after the first take a message may be given up.
	takePatience = 10 * time.Minute
	// preferTime is how long the other replicas leave a message to the one that is preferred.
	preferTime = 3 * time.Second
	// scanShare bounds what looking for messages costs: a look that took some time is not repeated for so many times that.
	scanShare = 10
)

// Next waits for a message that this replica should work on, as nobody does: it is this replica's then. If its replica
// died while WeChat was given the answer, the Attempt is open; if it may be what kills replicas, it has an Apology. The error is the context's. Messages of accounts that are
// busy are left alone; Wake says that one may be so no more. busy may be nil. Next is for one goroutine.
func (b *Backlog) Next(ctx context.Context, busy func(account string) bool) (*Work, error) {
	select {
	case <-b.loaded: // who ended in order is noted after the messages
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for scanned := time.Duration(0); ; {
		if w := b.takeOrphan(ctx, busy); w != nil {
			return w, nil
		}
		if scanned > 0 && !b.awaitOrphans(ctx, scanShare*scanned) {
			return nil, ctx.Err()
		}
		begun := time.Now()
		b.orphans = b.index.orphans(b.attended)
		scanned = max(time.Since(begun), 1)
	}
}

// takeOrphan takes the first message of those that were found; nil if there are none left.
func (b *Backlog) takeOrphan(ctx context.Context, busy func(account string) bool) *Work {
	for len(b.orphans) > 0 && ctx.Err() == nil {
		id := b.orphans[0].id
		b.orphans = b.orphans[1:]
		e, ok := b.index.get(id)
		if !ok || !e.waits() || b.attended(&e) || busy != nil && busy(e.Key.Account) {
			continue
		}
		u := user{e.Key.Account, e.Key.From}
		if !b.replicas.preferred(u) && time.Since(e.seen) < preferTime {
			continue
		}
		if w := b.take(ctx, &e); w != nil {
			return w
		}
	}
	return nil
}

// awaitOrphans waits until there may be messages to take, and for a pause at least. It reports whether ctx still lasts.
func (b *Backlog) awaitOrphans(ctx context.Context, pause time.Duration) bool {
	if !sleep(ctx, pause) {
		return false
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-b.kick:
	case <-timer.C:
	}
	return true
}

// attended reports whether somebody works on a message.
func (b *Backlog) attended(e *entry) bool {
	switch {
	case e.Owner == b.replicas.me:
		return b.works.has(e.id) // not if it was stored although storing it failed
	case e.Owner == "" || !b.store.Shared():
		return false
	}
	return b.replicas.alive(e.Owner)
}

// waits reports whether somebody should work on the message now.
func (e *entry) waits() bool {
	return !ended(e.State) && e.State != Kept && (e.answered || !e.exhausted() || time.Since(e.Updated) > takePause)
}

// exhausted reports whether as many replicas died over the message as may.
func (r *Record) exhausted() bool { return r.Takes >= maxTakes && r.State != Sending }

// take makes the record a replica's. counts says that the replica before may have died over the message.
func (r *Record) take(replica string, counts bool) {
	r.Owner = replica
	if !counts {
		return
	}
	if r.Takes++; r.Takes == 1 {
		r.Taken = time.Now()
	}
}

// take takes a message; nil if another replica did, or if it ended.
func (b *Backlog) take(ctx context.Context, e *entry) *Work {
	limited, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	w := &Work{b: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
	b.works.begin(w.id)
	if w.tryTake(limited) {
		return w
	}
	w.Release()
	return nil
}

// tryTake ends the message, or makes it this replica's; it returns false if the message ended, or is another's.
func (w *Work) tryTake(limited context.Context) bool {
	if w.load(limited) != nil {
		return false
	}
	made := len(w.record.Reply) > 0
	switch {
	case w.record.State == Sending && w.record.Attempt == "": // of a version that did not name attempts
		_ = w.End(limited, Uncertain, "the process ended, or lost its store, while WeChat was given the answer", "")
		return false
	case w.record.over() && w.record.State != Sending:
		_ = w.End(limited, Expired, w.record.Reason, w.record.Errcode)
		return false
	case !made && w.record.exhausted() && time.Since(w.record.Taken) > takePatience:
		w.Apologize(Ending{State: GivenUp, Reason: fmt.Sprintf("%d processes ended while they worked on it", w.record.Takes)})
		made = true // nobody makes an answer any more
	}
	r := w.record
	r.take(w.b.replicas.me, !made && !w.b.endedInOrder(r.Owner))
	return w.put(limited, r) == nil
}
