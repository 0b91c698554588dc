package replier

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// count returns how many answers there are.
func (p *generation) count() int { return len(p.texts) + len(p.others) }

// has reports whether an answer is kept.
func has(k *answerCache, key fingerprint, at time.Time) bool {
	r, _ := k.addAttempts(key, at, 0)
	return r != nil
}

// TestKept: an answer is kept for a minute at least and two at most, or as long as there is memory.
func TestKept(t *testing.T) {
	key := func(id uint64) fingerprint { return fingerprint{id} }
	begin := time.Now()
	k := newAnswerCache(10*jobSize, begin)
	k.keepJob(key(1), newJob(), begin.Add(answerLife-1))
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{answerLife - 1, true}, {answerLife, true}, {2*answerLife - 1, true}, {2 * answerLife, false}} {
		if got := has(&k, key(1), begin.Add(tt.after)); got != tt.want {
			t.Errorf("after %v: kept %t, want %t", tt.after, got, tt.want)
		}
	}
	k = newAnswerCache(10*jobSize, begin)
	k.keepJob(key(1), newJob(), begin)
	if has(&k, key(1), begin.Add(time.Hour)) {
		t.Error("an answer is kept where nothing came for an hour")
	}

	for size, r := range map[int]*job{jobSize: newJob(), textSize: newEndedJob(decision{}, nil)} {
		k = newAnswerCache(10*size, begin)
		for id := range uint64(100) {
			k.keepJob(key(id), r, begin)
			if !has(&k, key(id), begin) {
				t.Fatalf("answer %d is not kept", id)
			}
		}
		if n := k.current.count() + k.previous.count(); n < 5 || n > 10 {
			t.Errorf("%d answers are kept; want 5 to 10", n)
		}
		large := newEndedJob(decision{Decision: rules.Decision{Reply: says(strings.Repeat("x", 10*size))}}, nil)
		k.keepJob(key(200), large, begin)
		k.keepJob(key(201), r, begin)
		k.keepJob(key(202), r, begin)
		if k.current.count()+k.previous.count() > 3 || !has(&k, key(202), begin) {
			t.Errorf("%d and %d answers are kept beside a large one", k.current.count(), k.previous.count())
		}
	}
}

// TestKeptTexts: of many texts, short and long, by several rules, each is what it was.
func TestKeptTexts(t *testing.T) {
	k := newAnswerCache(64<<20, time.Now())
	answered := []*rules.Rule{nil, {Name: "first"}, {Name: "second"}}
	answer := func(i int) decision {
		return decision{Decision: rules.Decision{Rule: answered[i%len(answered)], Reply: says(strings.Repeat(strconv.Itoa(i), 1+i*i%1000))}}
	}
	const long = 3000
	for i := range 1000 {
		k.keepJob(fingerprint{uint64(i)}, newEndedJob(answer(i), nil), time.Now())
	}
	k.keepJob(fingerprint{long}, newEndedJob(decision{Decision: rules.Decision{Reply: says(strings.Repeat("長", blockSize))}}, nil), time.Now())
	for i := range 1000 {
		want := answer(i)
		r, _ := k.addAttempts(fingerprint{uint64(i)}, time.Now(), 1)
		if r == nil || r.decision.Rule != want.Rule || !proto.Equal(r.decision.Reply, want.Reply) {
			t.Fatalf("answer %d: got %v, want %v", i, r, want)
		}
	}
	if r, _ := k.addAttempts(fingerprint{long}, time.Now(), 1); r.decision.Reply.GetText().GetContent() != strings.Repeat("長", blockSize) {
		t.Error("the long answer is another")
	}
}

// TestAnswer: what is kept of a run says the same as the run.
func TestAnswer(t *testing.T) {
	asked := newJob()
	close(asked.done)
	failed := errors.New("failed")
	for name, r := range map[string]*job{
		"text":       newEndedJob(decision{Decision: rules.Decision{Rule: &rules.Rule{Name: "echo"}, Reply: says("hello")}}, nil),
		"image":      newEndedJob(decision{Decision: rules.Decision{Rule: &rules.Rule{Name: "picture"}, Reply: &wechatv1.Reply{Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{MediaId: "m"}}}}}, nil),
		"empty text": newEndedJob(decision{Decision: rules.Decision{Rule: &rules.Rule{Name: "empty"}, Reply: says("")}}, nil),
		"silent":     newEndedJob(decision{Decision: rules.Decision{Rule: &rules.Rule{Name: "silent"}}}, nil),
		"no rule":    newEndedJob(decision{}, nil),
		"fallback":   newEndedJob(decision{Decision: rules.Decision{Rule: &rules.Rule{Name: "next"}, Reply: says("hello"), Failed: []error{failed}}}, nil),
		"panic":      newEndedJob(decision{}, failed),
		"bot":        asked,
	} {
		k := newAnswerCache(1<<20, time.Now())
		came := r.attempts
		k.keepJob(fingerprint{1}, r, time.Now())
		for more := 1; more < 3; more++ {
			got, n := k.addAttempts(fingerprint{1}, time.Now(), 1)
			if n != came+more || got.decision.Rule != r.decision.Rule || !proto.Equal(got.decision.Reply, r.decision.Reply) ||
				len(got.decision.Failed) != len(r.decision.Failed) || !errors.Is(got.err, r.err) || !got.hasEnded() {
				t.Errorf("%s: got attempt %d, %+v; want %+v", name, n, got.decision, r.decision)
			}
		}
		if _, n := k.addAttempts(fingerprint{1}, time.Now(), 0); n != came+2 {
			t.Errorf("%s: %d attempts after a look; want %d", name, n, came+2)
		}
		if r, _ := k.addAttempts(fingerprint{2}, time.Now(), 1); r != nil {
			t.Errorf("%s: another message has an answer", name)
		}
	}
}
