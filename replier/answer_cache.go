package replier

import (
	"hash/maphash"
	"time"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// keepAnswer is for how long an answer is kept at least, unless memory is short: far longer than WeChat goes on sending a
// message again, which is 3 times, 5 s apart.
const keepAnswer = time.Minute

// About what an answer costs in memory besides its reply, in bytes: one that is a text or nothing, and others.
const (
	textSize = 80
	runSize  = 512
)

// kept are the answers of the last minute or two. Those of the present part are forgotten together, after those of the
// part before: that costs nothing while messages come.
type kept struct {
	most        int // bytes of a part
	now, before *keptPart
	began       time.Time // when now did
}

// keptPart are answers. Most are texts, or that nothing is said: of those there is no pointer, so that the garbage
// collector has nothing to go through, however many they are.
type keptPart struct {
	texts  map[fingerprint]keptText
	blocks [][]byte      // what the texts are in
	rules  []*rules.Rule // that said them
	known  map[*rules.Rule]uint32
	runs   map[fingerprint]*run // of all else
	size   int                  // of all, in bytes
}

// keptText is an answer that is a text; of no bytes: nothing is said.
type keptText struct {
	block, from, size uint32 // where it is
	rule              uint32 // that said it, from 1; 0: none did
	attempts          uint32 // how often the message came
}

// blockSize is that of a block, in bytes; a text that is larger has one of its own.
const blockSize = 64 << 10

func newKeptPart() *keptPart {
	return &keptPart{texts: map[fingerprint]keptText{}, known: map[*rules.Rule]uint32{}, runs: map[fingerprint]*run{}}
}

// find returns the run of a message, and how often it came: more times than before.
func (p *keptPart) find(key fingerprint, more int) (r *run, attempts int) {
	if r = p.runs[key]; r != nil {
		r.attempts += more
		return r, r.attempts
	}
	t, ok := p.texts[key]
	if !ok {
		return nil, 0
	}
	t.attempts += uint32(more)
	p.texts[key] = t
	d := decision{}
	if t.rule > 0 {
		d.Rule = p.rules[t.rule-1]
	}
	if t.size > 0 {
		d.Reply = textReply(string(p.blocks[t.block][t.from : t.from+t.size]))
	}
	return decided(d, nil), int(t.attempts)
}

// put adds the answer of a run that takes about so many bytes.
func (p *keptPart) put(key fingerprint, r *run, size int) {
	p.size += size
	if !r.isText() {
		p.runs[key] = r
		return
	}
	t := keptText{attempts: uint32(r.attempts)}
	if rule := r.decision.Rule; rule != nil {
		if t.rule = p.known[rule]; t.rule == 0 {
			p.rules = append(p.rules, rule)
			t.rule = uint32(len(p.rules))
			p.known[rule] = t.rule
		}
	}
	if content := r.decision.Reply.GetText().GetContent(); content != "" {
		last := len(p.blocks) - 1
		if last < 0 || len(p.blocks[last])+len(content) > cap(p.blocks[last]) {
			p.blocks = append(p.blocks, make([]byte, 0, max(blockSize, len(content))))
			last++
		}
		t.block, t.from, t.size = uint32(last), uint32(len(p.blocks[last])), uint32(len(content))
		p.blocks[last] = append(p.blocks[last], content...)
	}
	p.texts[key] = t
}

// isText tells whether all there is to know of a run that ended is its rule, and a text or that nothing is said.
func (r *run) isText() bool {
	d := r.decision
	return r.done == past && r.err == nil && len(d.Failed) == 0 && (d.Reply == nil || d.Reply.GetText().GetContent() != "")
}

// cost returns about how many bytes the answer of a run takes.
func (r *run) cost() int {
	if r.isText() {
		return textSize + len(r.decision.Reply.GetText().GetContent())
	}
	return runSize + proto.Size(r.decision.Reply)
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
	return kept{most: memory / 2, now: newKeptPart(), before: newKeptPart(), began: at}
}

// find returns the run of a message, and how often it came: more times than before; nil where none is kept.
func (k *kept) find(key fingerprint, at time.Time, more int) (r *run, attempts int) {
	k.turn(at)
	if r, attempts = k.now.find(key, more); r == nil {
		r, attempts = k.before.find(key, more)
	}
	return r, attempts
}

// put keeps the answer of a run that ended.
func (k *kept) put(key fingerprint, r *run, at time.Time) {
	k.turn(at)
	size := r.cost()
	if k.now.size+size > k.most {
		k.begin(at)
	}
	k.now.put(key, r, size)
}

// turn begins a new part where the present one is old.
func (k *kept) turn(at time.Time) {
	age := at.Sub(k.began)
	if age < keepAnswer {
		return
	}
	k.begin(at)
	if age >= 2*keepAnswer {
		k.before = newKeptPart()
	}
}

func (k *kept) begin(at time.Time) { k.before, k.now, k.began = k.now, newKeptPart(), at }
