package replier

import (
	"hash/maphash"
	"time"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// answerLife is the least time for which an answer is kept, unless memory is short: far longer than WeChat repeats a message,
// which is 3 times, 5 s apart.
const answerLife = time.Minute

// The cost of an answer in memory in bytes, about, besides its reply: of a text or nothing, and of others.
const (
	textSize = 80
	jobSize  = 512
)

// answerCache keeps the answers of the last minute or two. A whole generation is forgotten at a time, which costs nothing while
// messages come. The caller's lock guards it.
type answerCache struct {
	maxBytes          int // of a generation
	current, previous *generation
	rotated           time.Time // when current began
}

// generation keeps answers. Most are texts or nothing: those are kept without pointers, so that the garbage collector has nothing
// to go through, however many they are.
type generation struct {
	texts       map[fingerprint]textEntry
	blocks      [][]byte      // hold the texts
	rules       []*rules.Rule // that answered
	ruleNumbers map[*rules.Rule]uint32
	others      map[fingerprint]*job // all other answers
	size        int                  // of all, in bytes
}

// textEntry is an answer that is a text, or nothing if it has no bytes.
type textEntry struct {
	block, from, size uint32 // the position of the text
	rule              uint32 // the number of the rule that answered, from 1; 0: none did
	attempts          uint32 // how often the message came
}

// blockSize is the size of a block in bytes. A larger text has a block of its own.
const blockSize = 64 << 10

func newGeneration() *generation {
	return &generation{texts: map[fingerprint]textEntry{}, ruleNumbers: map[*rules.Rule]uint32{}, others: map[fingerprint]*job{}}
}

// addAttempts adds n to how often a message came, and returns its job and that number; nil if no answer is kept.
func (g *generation) addAttempts(key fingerprint, n int) (j *job, attempts int) {
	if j = g.others[key]; j != nil {
		j.attempts += n
		return j, j.attempts
	}
	t, ok := g.texts[key]
	if !ok {
		return nil, 0
	}
	t.attempts += uint32(n)
	g.texts[key] = t
	d := decision{}
	if t.rule > 0 {
		d.Rule = g.rules[t.rule-1]
	}
	if t.size > 0 {
		d.Reply = wechatv1.TextReplyOf(string(g.blocks[t.block][t.from : t.from+t.size]))
	}
	return newEndedJob(d, nil), int(t.attempts)
}

// keepJob keeps the answer of a job that takes about size bytes.
func (g *generation) keepJob(key fingerprint, j *job, size int) {
	g.size += size
	if !j.isTextAnswer() {
		g.others[key] = j
		return
	}
	t := textEntry{attempts: uint32(j.attempts)}
	if rule := j.decision.Rule; rule != nil {
		if t.rule = g.ruleNumbers[rule]; t.rule == 0 {
			g.rules = append(g.rules, rule)
			t.rule = uint32(len(g.rules))
			g.ruleNumbers[rule] = t.rule
		}
	}
	if content := j.decision.Reply.GetText().GetContent(); content != "" {
		last := len(g.blocks) - 1
		if last < 0 || len(g.blocks[last])+len(content) > cap(g.blocks[last]) {
			g.blocks = append(g.blocks, make([]byte, 0, max(blockSize, len(content))))
			last++
		}
		t.block, t.from, t.size = uint32(last), uint32(len(g.blocks[last])), uint32(len(content))
		g.blocks[last] = append(g.blocks[last], content...)
	}
	g.texts[key] = t
}

// isTextAnswer reports whether an ended job is fully described by its rule and a text or nothing.
func (j *job) isTextAnswer() bool {
	d := j.decision
	return j.done == alreadyClosed && j.err == nil && len(d.Failed) == 0 && (d.Reply == nil || d.Reply.GetText().GetContent() != "")
}

// cacheCost returns about how many bytes the answer of a job takes.
func (j *job) cacheCost() int {
	if j.isTextAnswer() {
		return textSize + len(j.decision.Reply.GetText().GetContent())
	}
	return jobSize + proto.Size(j.decision.Reply)
}

// fingerprint stands for the key of a message: 128 bits of its hash, with seeds of this process. So a kept answer holds nothing
// of its callback, and finding it costs two hashes.
type fingerprint [2]uint64

var seeds = [len(fingerprint{})]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// fingerprintOf returns the fingerprint of a message's key; ok is false if the message has no key.
func fingerprintOf(msg *wechatv1.Message) (p fingerprint, ok bool) {
	key, ok := msg.Key()
	for i, seed := range seeds {
		p[i] = maphash.Comparable(seed, key)
	}
	return p, ok
}

// newAnswerCache keeps answers in about memory bytes.
func newAnswerCache(memory int, now time.Time) answerCache {
	return answerCache{maxBytes: memory / 2, current: newGeneration(), previous: newGeneration(), rotated: now}
}

// addAttempts adds n to how often a message came, and returns its job and that number; nil if no answer is kept.
func (c *answerCache) addAttempts(key fingerprint, now time.Time, n int) (j *job, attempts int) {
	c.rotateIfOld(now)
	if j, attempts = c.current.addAttempts(key, n); j == nil {
		j, attempts = c.previous.addAttempts(key, n)
	}
	return j, attempts
}

// keepJob keeps the answer of a job that has ended.
func (c *answerCache) keepJob(key fingerprint, j *job, now time.Time) {
	c.rotateIfOld(now)
	size := j.cacheCost()
	if c.current.size+size > c.maxBytes {
		c.rotate(now)
	}
	c.current.keepJob(key, j, size)
}

// rotateIfOld begins a new generation if the current one is old.
func (c *answerCache) rotateIfOld(now time.Time) {
	age := now.Sub(c.rotated)
	if age < answerLife {
		return
	}
	c.rotate(now)
	if age >= 2*answerLife {
		c.previous = newGeneration()
	}
}

func (c *answerCache) rotate(now time.Time) {
	c.previous, c.current, c.rotated = c.current, newGeneration(), now
}
