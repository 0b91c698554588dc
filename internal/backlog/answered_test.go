package backlog

import (
	"testing"
	"time"

	"wxgate/internal/store"
	"wxgate/internal/store/storetest"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestAnsweredMeanwhile: a message of which WeChat's other copy was answered, by whomever, is not answered again.
func TestAnsweredMeanwhile(t *testing.T) {
	for name, cfg := range map[string]store.Config{"here": {}, "cluster": {URL: storetest.StartServer(t).URL()}} {
		t.Run(name, func(t *testing.T) {
			b, _ := serve(t, cfg, size)
			gateway := b
			if cfg.URL != "" {
				gateway, _ = serve(t, cfg, size)
			}
			if err := gateway.ListenForQuestions(); err != nil {
				t.Fatal(err)
			}
			answered, other := message("oA", "answered"), message("oB", "other")
			gateway.MarkAnswered(answered)
			if !gateway.AnsweredLocally(answered) || gateway.AnsweredLocally(other) {
				t.Error("it remembers another message")
			}
			for _, msg := range []*wechatv1.Message{answered, other} {
				if err := b.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // in either order: one may be left to another replica for a while
				w := b.next(t, patience)
				if w == nil {
					t.Fatal("nothing to take")
				}
				want := w.record.Key.From == "oA"
				if got, known, err := w.AskAnswered(t.Context()); got != want || !known || err != nil {
					t.Errorf("%s: answered %t, known %t; want %t", w.record.Key.From, got, known, want)
				}
			}
		})
	}
}

// TestHandOver: what a gateway that ends has answered, the others know; a replica among them asks nobody.
func TestHandOver(t *testing.T) {
	cfg := store.Config{URL: storetest.StartServer(t).URL()}
	replica, _ := serve(t, cfg, size)
	gateway, _ := serve(t, cfg, size)
	other, _ := serve(t, cfg, size)
	for _, g := range []*Backlog{gateway, other} {
		if err := g.ListenForQuestions(); err != nil {
			t.Fatal(err)
		}
	}
	const many = handedAtOnce + 1
	for i := range many {
		gateway.answeredKeys.addHashes(uint64(i))
	}
	msg := message("oA", "answered")
	gateway.MarkAnswered(msg)
	for end := time.Now().Add(patience); !other.AnsweredLocally(msg) || !replica.AnsweredLocally(msg) || !other.answeredKeys.hasHash(0) || !other.answeredKeys.hasHash(many-1); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what it answered is forgotten")
		}
		gateway.HandOver() // again: the others may not have been heard yet as they subscribed
	}
	if err := other.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
		t.Fatal(err)
	}
	w := replica.next(t, patience)
	if w == nil {
		t.Fatal("nothing to take")
	}
	if answered, known, err := w.AskAnswered(t.Context()); !answered || !known || err != nil {
		t.Errorf("answered %t, known %t, %v", answered, known, err)
	}
}

// TestHashOf: each part of a key counts, and where one ends; all processes have the same hash.
func TestHashOf(t *testing.T) {
	key := wechatv1.Key{Account: "a", To: "b", From: "c", MsgID: 1, Content: "d"}
	if got := hashOf(key); got != 0xc5d6d1934ab81371 {
		t.Errorf("got %#x, another than before", got)
	}
	seen := map[uint64]bool{hashOf(key): true}
	for i, change := range []func(*wechatv1.Key){
		func(k *wechatv1.Key) { k.Account = "x" }, func(k *wechatv1.Key) { k.To = "x" }, func(k *wechatv1.Key) { k.From = "x" },
		func(k *wechatv1.Key) { k.MsgID = 3 }, func(k *wechatv1.Key) { k.Content = "x" }, func(k *wechatv1.Key) { k.Content = "" },
		func(k *wechatv1.Key) { k.To, k.From = "bc", "" }, func(k *wechatv1.Key) { k.From, k.Content = "cd", "" },
	} {
		other := key
		if change(&other); seen[hashOf(other)] {
			t.Errorf("change %d makes no other hash", i)
		}
		seen[hashOf(other)] = true
	}
}

// TestRecent: what was answered is remembered for some time, in bounded memory.
func TestRecent(t *testing.T) {
	r := newRecentKeys()
	key := func(i int) uint64 { return hashOf(wechatv1.Key{From: "oA", MsgID: int64(i)}) }
	for i := range answeredMost + 1 {
		r.addHashes(key(i))
	}
	if !r.hasHash(key(0)) || !r.hasHash(key(answeredMost)) || r.hasHash(key(-1)) {
		t.Error("it forgot, or made up, an answer")
	}
	for i := range answeredMost {
		r.addHashes(key(answeredMost + 1 + i))
	}
	if n := len(r.current) + len(r.previous); r.hasHash(key(0)) || n > 2*answeredMost {
		t.Errorf("%d are remembered, the oldest too", n)
	}
}

// TestStoodStill: a replica that stood still, or was cut off, does not trust what it knows before it caught up.
func TestStoodStill(t *testing.T) {
	f := newFeedState()
	if !f.isBehind() {
		t.Error("it trusts what it knows before it heard anything")
	}
	hear := func() {
		_, mark, arrived := f.newMarker()
		f.noteMarker("another")
		f.noteMarker(mark)
		<-arrived
	}
	hear()
	if f.isBehind() {
		t.Error("it caught up, and is old")
	}
	f.noteHeartbeat()
	f.lastHeartbeat = f.lastHeartbeat.Add(-stillAfter - time.Second) // a time passes in which it hears nothing
	if !f.isBehind() {
		t.Error("what it knew before is not old")
	}
	f.noteHeartbeat()
	if !f.isBehind() {
		t.Error("it had no time to catch up")
	}
	hear()
	if f.isBehind() {
		t.Error("old for ever")
	}
	f.pauseMarkers()
	if _, mark, _ := f.newMarker(); mark != "" {
		t.Error("it does not give up where that takes too long")
	}

	url := storetest.StartServer(t).URL()
	a, _ := serve(t, store.Config{URL: url}, size)
	b, _ := serve(t, store.Config{URL: url}, size)
	for _, each := range []*Backlog{a, b} {
		for end := time.Now().Add(patience); each.feed.isBehind(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it never caught up")
			}
		}
	}
	// Known right after it was stored elsewhere, where that is not trusted.
	for range 20 {
		msg := message("oA", "hello")
		must(a.Defer(t.Context(), msg, time.Now(), true, "later"))(t)
		b.feed.mu.Lock()
		b.feed.behind = true
		b.feed.mu.Unlock()
		if text, known, sure := b.Lookup(t.Context(), msg); !known || !sure || text != "later" {
			t.Errorf("known %t, %q", known, text)
		}
	}
	another := message("oA", "another")
	if _, known, sure := b.Lookup(t.Context(), another); known || !sure {
		t.Errorf("of a message that is not stored: known %t, sure %t", known, sure)
	}
	// It cannot catch up now.
	b.feed.mu.Lock()
	b.feed.behind, b.feed.pausedUntil = true, time.Now().Add(time.Hour)
	b.feed.mu.Unlock()
	if _, known, sure := b.Lookup(t.Context(), another); known || sure {
		t.Errorf("cut off: known %t, sure %t", known, sure)
	}
	if b.IsStored(t.Context(), another) {
		t.Error("it finds what is not stored")
	}
	must(a.Defer(t.Context(), another, time.Now(), true, ""))(t)
	if !b.IsStored(t.Context(), another) {
		t.Error("it does not find what is stored")
	}
}
