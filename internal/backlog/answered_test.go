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
	for name, cfg := range map[string]store.Config{"here": {}, "cluster": {URL: storetest.Start(t).URL()}} {
		t.Run(name, func(t *testing.T) {
			b, _ := serve(t, cfg, size)
			gateway := b
			if cfg.URL != "" {
				gateway, _ = serve(t, cfg, size)
			}
			if err := gateway.Listen(); err != nil {
				t.Fatal(err)
			}
			answered, other := message("oA", "answered"), message("oB", "other")
			gateway.Answered(answered)
			if !gateway.WasAnswered(answered) || gateway.WasAnswered(other) {
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
				if got, known, err := w.AnsweredMeanwhile(t.Context()); got != want || !known || err != nil {
					t.Errorf("%s: answered %t, known %t; want %t", w.record.Key.From, got, known, want)
				}
			}
		})
	}
}

// TestHandOver: what a gateway that ends has answered, the others know; a replica among them asks nobody.
func TestHandOver(t *testing.T) {
	cfg := store.Config{URL: storetest.Start(t).URL()}
	replica, _ := serve(t, cfg, size)
	gateway, _ := serve(t, cfg, size)
	other, _ := serve(t, cfg, size)
	for _, g := range []*Backlog{gateway, other} {
		if err := g.Listen(); err != nil {
			t.Fatal(err)
		}
	}
	const many = handedAtOnce + 1
	for i := range many {
		gateway.answered.add(uint64(i))
	}
	msg := message("oA", "answered")
	gateway.Answered(msg)
	for end := time.Now().Add(patience); !other.WasAnswered(msg) || !replica.WasAnswered(msg) || !other.answered.has(0) || !other.answered.has(many-1); time.Sleep(5 * time.Millisecond) {
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
	if answered, known, err := w.AnsweredMeanwhile(t.Context()); !answered || !known || err != nil {
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
	var r recent
	r.init()
	key := func(i int) uint64 { return hashOf(wechatv1.Key{From: "oA", MsgID: int64(i)}) }
	for i := range answeredMost + 1 {
		r.add(key(i))
	}
	if !r.has(key(0)) || !r.has(key(answeredMost)) || r.has(key(-1)) {
		t.Error("it forgot, or made up, an answer")
	}
	for i := range answeredMost {
		r.add(key(answeredMost + 1 + i))
	}
	if n := len(r.now) + len(r.before); r.has(key(0)) || n > 2*answeredMost {
		t.Errorf("%d are remembered, the oldest too", n)
	}
}

// TestStoodStill: a replica that stood still, or was cut off, does not trust what it knows before it caught up.
func TestStoodStill(t *testing.T) {
	var f freshness
	f.init()
	if !f.isOld() {
		t.Error("it trusts what it knows before it heard anything")
	}
	hear := func() {
		_, mark, arrived := f.next()
		f.hears("another")
		f.hears(mark)
		<-arrived
	}
	hear()
	if f.isOld() {
		t.Error("it caught up, and is old")
	}
	f.heard()
	f.last = f.last.Add(-stillAfter - time.Second) // a time passes in which it hears nothing
	if !f.isOld() {
		t.Error("what it knew before is not old")
	}
	f.heard()
	if !f.isOld() {
		t.Error("it had no time to catch up")
	}
	hear()
	if f.isOld() {
		t.Error("old for ever")
	}
	f.pause()
	if _, mark, _ := f.next(); mark != "" {
		t.Error("it does not give up where that takes too long")
	}

	url := storetest.Start(t).URL()
	a, _ := serve(t, store.Config{URL: url}, size)
	b, _ := serve(t, store.Config{URL: url}, size)
	for _, each := range []*Backlog{a, b} {
		for end := time.Now().Add(patience); each.fresh.isOld(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it never caught up")
			}
		}
	}
	// Known right after it was stored elsewhere, where that is not trusted.
	for range 20 {
		msg := message("oA", "hello")
		must(a.Defer(t.Context(), msg, time.Now(), true, "later"))(t)
		b.fresh.mu.Lock()
		b.fresh.old = true
		b.fresh.mu.Unlock()
		if text, known, sure := b.Known(t.Context(), msg); !known || !sure || text != "later" {
			t.Errorf("known %t, %q", known, text)
		}
	}
	another := message("oA", "another")
	if _, known, sure := b.Known(t.Context(), another); known || !sure {
		t.Errorf("of a message that is not stored: known %t, sure %t", known, sure)
	}
	// It cannot catch up now.
	b.fresh.mu.Lock()
	b.fresh.old, b.fresh.paused = true, time.Now().Add(time.Hour)
	b.fresh.mu.Unlock()
	if _, known, sure := b.Known(t.Context(), another); known || sure {
		t.Errorf("cut off: known %t, sure %t", known, sure)
	}
	if b.Stored(t.Context(), another) {
		t.Error("it finds what is not stored")
	}
	must(a.Defer(t.Context(), another, time.Now(), true, ""))(t)
	if !b.Stored(t.Context(), another) {
		t.Error("it does not find what is stored")
	}
}
