package backlog

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"sync"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// WeChat may send a message twice at once. Where one copy is answered in time, and the other meets a replier that stands
// still, the other is stored: then those who answer WeChat are asked whether they did already. They remember that in
// their own memory, so that an answer in time touches no store.

const (
	// answeredLife is at least how long an answer is remembered: longer than WeChat sends a message.
	answeredLife = 30 * time.Second
	// answeredMost is how many answers of one such time are remembered, 16 bytes or so each.
	answeredMost = 1 << 20
	// askTime is how long those who answer WeChat are waited for.
	askTime = 300 * time.Millisecond

	answeredSubject = "wxgate.answered"
)

// recent is a set of keys which forgets the old ones. It is safe for concurrent use.
type recent struct {
	seed maphash.Seed

	mu          sync.Mutex
	now, before map[uint64]struct{}
	began       time.Time // of now
}

func (r *recent) init() {
	r.seed, r.now, r.began = maphash.MakeSeed(), map[uint64]struct{}{}, time.Now()
}

func (r *recent) add(key wechatv1.Key) {
	hash := maphash.Comparable(r.seed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.now) >= answeredMost || time.Since(r.began) > answeredLife {
		r.before, r.now, r.began = r.now, make(map[uint64]struct{}, len(r.now)), time.Now()
	}
	r.now[hash] = struct{}{}
}

func (r *recent) has(key wechatv1.Key) bool {
	hash := maphash.Comparable(r.seed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, now := r.now[hash]
	_, before := r.before[hash]
	return now || before
}

// Answered remembers that WeChat has the answer to a message.
func (b *Backlog) Answered(msg *wechatv1.Message) {
	if key, ok := msg.Key(); ok {
		b.answered.add(key)
	}
}

// WasAnswered tells whether this process remembers that.
func (b *Backlog) WasAnswered(msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	return ok && b.answered.has(key)
}

// Listen tells those who ask what this process remembers, until the store closes.
func (b *Backlog) Listen() error {
	return b.store.Respond(answeredSubject, func(question []byte) bool {
		var key wechatv1.Key
		return json.Unmarshal(question, &key) == nil && b.answered.has(key)
	})
}

// AnsweredMeanwhile tells whether WeChat has the answer to a message: it asks all who Listen. known is false where nobody
// does. The error is store.ErrAway where they can't be asked.
func (w *Work) AnsweredMeanwhile(ctx context.Context) (answered, known bool, err error) {
	question, err := json.Marshal(w.record.Key)
	if err != nil {
		return false, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return w.b.store.Ask(ctx, answeredSubject, question)
}
