package replier

import (
	"cmp"
	"hash/maphash"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

// keepAnswer is for how long an answer is kept at least, unless memory is short: far longer than WeChat goes on sending a
// message again, which is 3 times, 5 s apart.
const keepAnswer = time.Minute

// About what an answer costs in memory besides its reply, in bytes: of a message that a bot was asked for, and of others.
const (
	runSize    = 1024
	answerSize = 160
)

// kept are the answers of the last minute or two. Those of the present part are forgotten together, after those of the
// part before: that costs nothing while messages come.
type kept struct {
	most        int // bytes of a part
	now, before map[fingerprint]keptAnswer
	size        int       // of now, in bytes
	began       time.Time // when now did
}

// keptAnswer is what is kept of a run that ended. As a rule it is a text: many of those cost little memory, and the garbage
// collector next to nothing.
type keptAnswer struct {
	attempts int             // how often the message came
	rule     *rule           // that answered; nil: none did
	text     string          // what is said; "" where that is
	reply    *wechatv1.Reply // something else; nil: nothing
	whole    *run            // in place of rule, text and reply: of a run of which there is more to know
}

// answerOf returns what is to be kept of a run.
func answerOf(r *run) keptAnswer {
	d := r.decision
	if r.done != past || r.err != nil || len(d.failed) > 0 {
		return keptAnswer{attempts: r.attempts, whole: r}
	}
	if text := d.reply.GetText().GetContent(); text != "" {
		return keptAnswer{attempts: r.attempts, rule: d.rule, text: strings.Clone(text)} // it may be a part of the message's body
	}
	return keptAnswer{attempts: r.attempts, rule: d.rule, reply: d.reply}
}

// run returns the run of an answer.
func (a keptAnswer) run() *run {
	if a.whole != nil {
		return a.whole
	}
	return decided(decision{rule: a.rule, reply: cmp.Or(textReply(a.text), a.reply)}, nil)
}

// size returns about how many bytes an answer takes.
func (a keptAnswer) size() int {
	switch {
	case a.whole != nil:
		return runSize + proto.Size(a.whole.decision.reply)
	case a.reply != nil:
		return answerSize + proto.Size(a.reply)
	}
	return answerSize + len(a.text)
}

// fingerprint stands for the key of a message: 128 bits of its hash, by seeds that are this process's alone. So what is
// kept holds nothing of the callback it came with, and to find it costs two hashes in all.
type fingerprint [2]uint64

var seeds = [len(fingerprint{})]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// fingerprintOf returns the fingerprint of a message's key; ok is as for that.
func fingerprintOf(msg *wechatv1.Message) (p fingerprint, ok bool) {
	key, ok := msg.Key()
	for i, seed := range seeds {
		p[i] = maphash.Comparable(seed, key)
	}
	return p, ok
}

// newKept keeps answers in about so many bytes.
func newKept(memory int, at time.Time) kept {
	return kept{most: memory / 2, now: map[fingerprint]keptAnswer{}, began: at}
}

// get returns the run of a message; nil where none is kept.
func (k *kept) get(key fingerprint, at time.Time) *run {
	if part := k.partOf(key, at); part != nil {
		return part[key].run()
	}
	return nil
}

// again is get for another attempt of the message, and returns how many there were.
func (k *kept) again(key fingerprint, at time.Time) (r *run, attempt int) {
	part := k.partOf(key, at)
	if part == nil {
		return nil, 0
	}
	a := part[key]
	a.attempts++
	part[key] = a
	return a.run(), a.attempts
}

// partOf returns the part that a message's answer is in; nil where none is kept.
func (k *kept) partOf(key fingerprint, at time.Time) map[fingerprint]keptAnswer {
	k.turn(at)
	for _, part := range [...]map[fingerprint]keptAnswer{k.now, k.before} {
		if _, ok := part[key]; ok {
			return part
		}
	}
	return nil
}

// put keeps the answer of a run that ended.
func (k *kept) put(key fingerprint, r *run, at time.Time) {
	k.turn(at)
	a := answerOf(r)
	size := a.size()
	if k.size+size > k.most {
		k.begin(at)
	}
	k.now[key] = a
	k.size += size
}

// turn begins a new part where the present one is old.
func (k *kept) turn(at time.Time) {
	age := at.Sub(k.began)
	if age < keepAnswer {
		return
	}
	k.begin(at)
	if age >= 2*keepAnswer {
		k.before = nil
	}
}

func (k *kept) begin(at time.Time) {
	k.before, k.now, k.size, k.began = k.now, map[fingerprint]keptAnswer{}, 0, at
}
