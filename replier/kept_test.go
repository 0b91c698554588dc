package replier

import (
	"strings"
	"testing"
	"time"
)

// TestKept: an answer is kept for a minute at least and two at most, or as long as there is memory.
func TestKept(t *testing.T) {
	key := func(id uint64) fingerprint { return fingerprint{id} }
	begin := time.Now()
	k := newKept(10*entrySize, begin)
	k.put(key(1), newRun(), begin.Add(keepAnswer-1))
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{keepAnswer - 1, true}, {keepAnswer, true}, {2*keepAnswer - 1, true}, {2 * keepAnswer, false}} {
		if got := k.get(key(1), begin.Add(tt.after)) != nil; got != tt.want {
			t.Errorf("after %v: kept %t, want %t", tt.after, got, tt.want)
		}
	}
	k = newKept(10*entrySize, begin)
	k.put(key(1), newRun(), begin)
	if k.get(key(1), begin.Add(time.Hour)) != nil {
		t.Error("an answer is kept where nothing came for an hour")
	}

	k = newKept(10*entrySize, begin)
	for id := range uint64(100) {
		k.put(key(id), newRun(), begin)
		if k.get(key(id), begin) == nil {
			t.Fatalf("answer %d is not kept", id)
		}
	}
	if n := len(k.now) + len(k.before); n < 5 || n > 10 {
		t.Errorf("%d answers are kept; want 5 to 10", n)
	}
	large := newRun()
	large.decision.reply = says(strings.Repeat("x", 10*entrySize))
	k.put(key(200), large, begin)
	k.put(key(201), newRun(), begin)
	k.put(key(202), newRun(), begin)
	if len(k.now)+len(k.before) > 3 || k.get(key(202), begin) == nil {
		t.Errorf("%d and %d answers are kept beside a large one", len(k.now), len(k.before))
	}
}
