package replier

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

// TestKept: an answer is kept for a minute at least and two at most, or as long as there is memory.
func TestKept(t *testing.T) {
	key := func(id uint64) fingerprint { return fingerprint{id} }
	begin := time.Now()
	k := newKept(10*runSize, begin)
	k.put(key(1), newRun(), begin.Add(keepAnswer-1))
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{keepAnswer - 1, true}, {keepAnswer, true}, {2*keepAnswer - 1, true}, {2 * keepAnswer, false}} {
		if got := k.get(key(1), begin.Add(tt.after)) != nil; got != tt.want {
			t.Errorf("after %v: kept %t, want %t", tt.after, got, tt.want)
		}
	}
	k = newKept(10*runSize, begin)
	k.put(key(1), newRun(), begin)
	if k.get(key(1), begin.Add(time.Hour)) != nil {
		t.Error("an answer is kept where nothing came for an hour")
	}

	for size, r := range map[int]*run{runSize: newRun(), answerSize: decided(decision{}, nil)} {
		k = newKept(10*size, begin)
		for id := range uint64(100) {
			k.put(key(id), r, begin)
			if k.get(key(id), begin) == nil {
				t.Fatalf("answer %d is not kept", id)
			}
		}
		if n := len(k.now) + len(k.before); n < 5 || n > 10 {
			t.Errorf("%d answers are kept; want 5 to 10", n)
		}
		large := decided(decision{reply: says(strings.Repeat("x", 10*size))}, nil)
		k.put(key(200), large, begin)
		k.put(key(201), r, begin)
		k.put(key(202), r, begin)
		if len(k.now)+len(k.before) > 3 || k.get(key(202), begin) == nil {
			t.Errorf("%d and %d answers are kept beside a large one", len(k.now), len(k.before))
		}
	}
}

// TestAnswer: what is kept of a run says the same as the run.
func TestAnswer(t *testing.T) {
	asked := newRun()
	close(asked.done)
	failed := errors.New("failed")
	for name, r := range map[string]*run{
		"text":       decided(decision{rule: &rule{name: "echo"}, reply: says("hello")}, nil),
		"image":      decided(decision{rule: &rule{name: "picture"}, reply: &wechatv1.Reply{Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{MediaId: "m"}}}}, nil),
		"empty text": decided(decision{rule: &rule{name: "empty"}, reply: says("")}, nil),
		"silent":     decided(decision{rule: &rule{name: "silent"}}, nil),
		"no rule":    decided(decision{}, nil),
		"fallback":   decided(decision{rule: &rule{name: "next"}, reply: says("hello"), failed: []error{failed}}, nil),
		"panic":      decided(decision{}, failed),
		"bot":        asked,
	} {
		k := newKept(1<<20, time.Now())
		k.put(fingerprint{1}, r, time.Now())
		for attempt := 2; attempt < 4; attempt++ {
			got, n := k.again(fingerprint{1}, time.Now())
			if n != r.attempts+attempt-1 || got.decision.rule != r.decision.rule || !proto.Equal(got.decision.reply, r.decision.reply) ||
				len(got.decision.failed) != len(r.decision.failed) || !errors.Is(got.err, r.err) || !got.ended() {
				t.Errorf("%s: got attempt %d, %+v; want %+v", name, n, got.decision, r.decision)
			}
		}
		if k.get(fingerprint{2}, time.Now()) != nil {
			t.Errorf("%s: another message has an answer", name)
		}
	}
}
