package backlog

import (
	"context"
	"fmt"
	"time"

	"wxgate/internal/service"
)

const (
	// maxTakes is how many replicas may die in a row while they make the answer to a message. Beyond that the message is left
	// alone for a while, as it may be what kills them, and given up after takePatience.
	maxTakes = 5
	// takePause is how long such a message is left alone after each take.
	takePause = time.Minute
	// takePatience is how long after the first take a message may be given up.
	takePatience = 10 * time.Minute
	// preferTime is how long the other replicas leave a message to the preferred one.
	preferTime = 3 * time.Second
	// scanShare bounds the cost of looking for messages: the pause after a look is this many times as long as the look.
	scanShare = 10
)

// Next waits for a message that no replica works on, and makes it this replica's. If its replica died while it gave WeChat the
// answer, LastAttempt is open; if the message may be what kills replicas, it has an Apology. Messages of accounts for which
// isBusy reports true are left alone until WakeNext; isBusy may be nil. The error is the context's. Next is for one goroutine.
func (b *Backlog) Next(ctx context.Context, isBusy func(account string) bool) (*Work, error) {
	select {
	case <-b.loaded: // goodbyes come after the messages
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for scanned := time.Duration(0); ; {
		if w := b.takeOrphan(ctx, isBusy); w != nil {
			return w, nil
		}
		if scanned > 0 && !b.awaitOrphans(ctx, scanShare*scanned) {
			return nil, ctx.Err()
		}
		begun := time.Now()
		b.orphans = b.index.listOrphans(b.isAttended)
		scanned = max(time.Since(begun), 1)
	}
}

// takeOrphan takes over the first message of those that were found; nil if none is left.
func (b *Backlog) takeOrphan(ctx context.Context, isBusy func(account string) bool) *Work {
	for len(b.orphans) > 0 && ctx.Err() == nil {
		id := b.orphans[0].id
		b.orphans = b.orphans[1:]
		e, ok := b.index.findByID(id)
		if !ok || !e.needsWork() || b.isAttended(&e) || isBusy != nil && isBusy(e.Key.Account) {
			continue
		}
		u := userKey{e.Key.Account, e.Key.From}
		if !b.replicas.isPreferred(u) && time.Since(e.seen) < preferTime {
			continue
		}
		if w := b.takeOver(ctx, &e); w != nil {
			return w
		}
	}
	return nil
}

// awaitOrphans waits until there may be messages to take over, and for pause at least. It reports false if ctx ends first.
func (b *Backlog) awaitOrphans(ctx context.Context, pause time.Duration) bool {
	if !service.SleepContext(ctx, pause) {
		return false
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-b.wake:
	case <-timer.C:
	}
	return true
}

// isAttended reports whether a replica works on a message.
func (b *Backlog) isAttended(e *entry) bool {
	switch {
	case e.Owner == b.replicas.me:
		return b.active.isActive(e.id) // not if it was stored although storing it failed
	case e.Owner == "" || !b.store.IsShared():
		return false
	}
	return b.replicas.isAlive(e.Owner)
}

// needsWork reports whether a replica should work on the message now.
func (e *entry) needsWork() bool {
	return !isEnded(e.State) && e.State != Kept && (e.answered || !e.isExhausted() || time.Since(e.Updated) > takePause)
}

// isExhausted reports whether maxTakes replicas may have died over the message.
func (r *Record) isExhausted() bool { return r.Takes >= maxTakes && r.State != Sending }

// setOwner makes the record a replica's. died says that the replica before may have died over the message.
func (r *Record) setOwner(replica string, died bool) {
	r.Owner = replica
	if !died {
		return
	}
	if r.Takes++; r.Takes == 1 {
		r.Taken = time.Now()
	}
}

// takeOver makes a message this replica's; nil if another replica did, or if it ended.
func (b *Backlog) takeOver(ctx context.Context, e *entry) *Work {
	limited, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	w := &Work{backlog: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
	b.active.startWork(w.id)
	if w.tryTake(limited) {
		return w
	}
	w.Release()
	return nil
}

// tryTake ends the message, or makes it this replica's; it returns false if the message ended, or is another's.
func (w *Work) tryTake(limited context.Context) bool {
	if w.loadRecord(limited) != nil {
		return false
	}
	made := len(w.record.Reply) > 0
	switch {
	case w.record.State == Sending && w.record.Attempt == "": // stored by a version that did not name attempts
		_ = w.End(limited, Uncertain, "the process ended, or lost its store, while WeChat was given the answer", "")
		return false
	case w.record.isExpired() && w.record.State != Sending:
		_ = w.End(limited, Expired, w.record.Reason, w.record.Errcode)
		return false
	case !made && w.record.isExhausted() && time.Since(w.record.Taken) > takePatience:
		w.Apologize(Ending{State: GivenUp, Reason: fmt.Sprintf("%d processes ended while they worked on it", w.record.Takes)})
		made = true // no answer is made any more
	}
	r := w.record
	r.setOwner(w.backlog.replicas.me, !made && !w.backlog.endedInOrder(r.Owner))
	return w.putRecord(limited, r) == nil
}
