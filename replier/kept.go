package replier

import (
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
	now, before map[wechatv1.Key]*run
	size        int       // of now, in bytes
	began       time.Time // when now did
}

// newKept keeps runs in about so many bytes.
func newKept(memory int, at time.Time) kept {
	return kept{most: memory / 2, now: map[wechatv1.Key]*run{}, began: at}
}

// get returns the run of a message; nil where none is kept.
func (k *kept) get(key wechatv1.Key, at time.Time) *run {
	k.turn(at)
	if r := k.now[key]; r != nil {
		return r
	}
	return k.before[key]
}

// put keeps a run, which does not change any more.
func (k *kept) put(key wechatv1.Key, r *run, at time.Time) {
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
	k.before, k.now, k.size, k.began = k.now, map[wechatv1.Key]*run{}, 0, at
}

// weight returns about how many bytes a reply takes.
func weight(r *wechatv1.Reply) int {
	if text := r.GetText(); text != nil { // most are
		return len(text.GetContent())
	}
	return proto.Size(r)
}
