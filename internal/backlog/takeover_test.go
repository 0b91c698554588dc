package backlog

import (
	"context"
	"fmt"
	"testing"
	"time"

	"wxgate/internal/store"
	wechatv1 "wxgate/proto/wechat/v1"
)

// kill ends a Backlog as the death of its process does: it says nothing to anybody.
func (b *Backlog) kill(stop func()) {
	b.store.Close()
	stop()
}

// restart runs a Backlog on a directory, which takes the one message that waits there, if end is not nil and it can.
func restart(t *testing.T, dir string, work func(*Work), end func(b *Backlog, stop func())) {
	t.Helper()
	b, stop := serve(t, store.Config{Dir: dir}, size)
	w := b.next(t, patience)
	if w == nil {
		t.Fatal("nothing to take")
	}
	if work != nil {
		work(w)
	}
	end(b, stop)
}

func inOrder(_ *Backlog, stop func()) { stop() }

// TestFindingsOrderlyStopsDoNotCount: processes that end in order did not die over their messages.
func TestFindingsOrderlyStopsDoNotCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	msg := message("oA", "hello")
	b, stop := serve(t, store.Config{Dir: dir}, size)
	must(b.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	stop()
	for range maxTakes + 2 {
		restart(t, dir, func(w *Work) {
			if w.record.Takes != 1 {
				t.Errorf("counted %d times; want once", w.record.Takes)
			}
		}, inOrder)
	}
}

// TestFindingsMadeAnswersOnlyWait: a message whose answer is made kills nobody; it waits for WeChat as long as the window is
// open.
func TestFindingsMadeAnswersOnlyWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, stop := serve(t, store.Config{Dir: dir}, size)
	w := must(b.Defer(t.Context(), message("oA", "hello"), time.Now(), false, ""))(t)
	if err := w.BeginAttempt(t.Context(), says("hi"), 1, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.NoteRetry(t.Context(), "IP_NOT_ALLOWED", "40164"); err != nil {
		t.Fatal(err)
	}
	b.kill(stop)
	for range maxTakes + 2 {
		restart(t, dir, func(w *Work) {
			if reply, _ := w.Reply(); reply.GetText().GetContent() != "hi" {
				t.Errorf("the answer is %v", reply)
			}
		}, (*Backlog).kill)
	}
}

// TestFindingsDeathsGiveUpSlowly: a message over which processes died is left alone for a while, and given up only if that
// went on for long: they may have died for another reason.
func TestFindingsDeathsGiveUpSlowly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	msg := message("oA", "hello")
	b, stop := serve(t, store.Config{Dir: dir}, size)
	must(b.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	b.kill(stop)
	for range maxTakes - 1 {
		restart(t, dir, nil, (*Backlog).kill)
	}
	b, stop = serve(t, store.Config{Dir: dir}, size)
	if w := b.next(t, time.Second); w != nil {
		t.Error("taken once more at once")
	}
	b.age(t, msg, func(r *Record) { r.Updated = r.Updated.Add(-takePause) })
	if w := b.next(t, patience); w == nil || w.record.Takes != maxTakes+1 {
		t.Fatalf("not taken after the pause: %v", w)
	}
	b.kill(stop)

	b, _ = serve(t, store.Config{Dir: dir}, size)
	b.state(t, msg, Pending)
	b.age(t, msg, func(r *Record) { r.Updated, r.Taken = r.Updated.Add(-takePause), r.Taken.Add(-takePatience) })
	w := b.next(t, patience)
	if w == nil || w.Apology() == nil || w.Apology().State != GivenUp {
		t.Fatalf("not given up after its patience has ended: %v", w)
	}
	e := w.Apology()
	if err := w.End(t.Context(), e.State, e.Reason, ""); err != nil {
		t.Fatal(err)
	}
	if r := b.state(t, msg, GivenUp); r.Reason == "" {
		t.Error("no reason")
	}
}

// age changes the times of a stored message.
func (b *Backlog) age(t *testing.T, msg *wechatv1.Message, change func(*Record)) {
	t.Helper()
	key, _ := msg.Key()
	table := must(b.openTable(t.Context()))(t)
	value, revision, err := table.Get(t.Context(), key.ID())
	if err != nil {
		t.Fatal(err)
	}
	r, _ := decodeRecord(value)
	change(&r)
	revision, err = table.PutIfRevision(t.Context(), key.ID(), r.encode(), revision, 0)
	if err != nil || revision == 0 {
		t.Fatalf("not changed: %v", err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if e, _ := b.index.findByID(key.ID()); e.revision == revision {
			return
		}
	}
	t.Fatal("the change is not seen")
}

// TestFindingsTakeoverLooksOnce: messages without a replica are looked for once, not again for each of them.
func TestFindingsTakeoverLooksOnce(t *testing.T) {
	const messages = 100
	b, _ := serve(t, store.Config{}, size)
	storeMany(t, b, messages)
	var last int64
	for left := messages - 1; left >= 0; left-- {
		w := b.next(t, patience)
		if w == nil || len(b.orphans) != left {
			t.Fatalf("%v with %d left; want %d", w, len(b.orphans), left)
		}
		if w.record.CreateTime < last {
			t.Errorf("a message of %d after one of %d", w.record.CreateTime, last)
		}
		last = w.record.CreateTime
	}
}

// storeMany stores messages of as many users, and waits until they are known.
func storeMany(t testing.TB, b *Backlog, n int) {
	t.Helper()
	for i := range n {
		if err := b.Store(context.Background(), message(fmt.Sprint("oA", i), "hello"), time.Now(), false, ""); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(patience); b.index.countRecords().open < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d messages are known", b.index.countRecords().open, n)
		}
	}
}
