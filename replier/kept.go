package replier

import (
	"hash/maphash"
	"time"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// keepAnswer is for how long an answer is kept at least, unless memory is short: far longer than WeChat goes on sending
	// a message again, which is 3 times, 5 s apart.
	keepAnswer = time.Minute
	// entrySize is about what an answer costs in memory besides its reply, in bytes.
	entrySize = 512
)

// kept are the runs that ended in the last minute or two. Those of the present part are forgotten together, after those
// of the part before: that costs nothing while messages come.
type kept struct {
	most        int // bytes of a part
	now, before map[fingerprint]*run
	size        int       // of now, in bytes
	began       time.Time // when now did
}

// fingerprint stands for the key of a message: 128 bits of its hash, by seeds that are this process's alone. A message that is
// kept for a minute holds nothing of the callback it came with, and to find it costs two hashes in all.
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

// newKept keeps runs in about so many bytes.
func newKept(memory int, at time.Time) kept {
	return kept{most: memory / 2, now: map[fingerprint]*run{}, began: at}
}

// get returns the run of a message; nil where none is kept.
func (k *kept) get(key fingerprint, at time.Time) *run {
	k.turn(at)
	if r := k.now[key]; r != nil {
		return r
	}
	return k.before[key]
}

// put keeps a run, which does not change any more.
func (k *kept) put(key fingerprint, r *run, at time.Time) {
	k.turn(at)
	size := entrySize + weight(r.decision.reply)
	if k.size+size > k.most {
		k.begin(at)
	}
	k.now[key] = r
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
	k.before, k.now, k.size, k.began = k.now, map[fingerprint]*run{}, 0, at
}

// weight returns about how many bytes a reply takes.
func weight(r *wechatv1.Reply) int {
	if text := r.GetText(); text != nil { // most are
		return len(text.GetContent())
	}
	return proto.Size(r)
}
