package backlog

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

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
	handoverSubject = "wxgate.answered.handover"
	// handedAtOnce is how many answers are handed over in one message: a NATS server takes 1 MiB.
	handedAtOnce = 100_000
)

// recent is a set of keys which forgets the old ones. It is safe for concurrent use.
type recent struct {
	mu          sync.Mutex
	now, before map[uint64]struct{}
	began       time.Time // of now
}

func (r *recent) init() { r.now, r.began = map[uint64]struct{}{}, time.Now() }

func (r *recent) add(hashes ...uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.now) >= answeredMost || time.Since(r.began) > answeredLife {
		r.before, r.now, r.began = r.now, make(map[uint64]struct{}, len(r.now)), time.Now()
	}
	for _, hash := range hashes {
		r.now[hash] = struct{}{}
	}
}

func (r *recent) has(hash uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, now := r.now[hash]
	_, before := r.before[hash]
	return now || before
}

// all returns what is remembered.
func (r *recent) all() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]uint64, 0, len(r.now)+len(r.before))
	for hash := range r.before {
		all = append(all, hash)
	}
	for hash := range r.now {
		all = append(all, hash)
	}
	return all
}

// hashOf returns the same number for a key in all processes.
func hashOf(key wechatv1.Key) uint64 {
	var d xxhash.Digest
	d.Reset()
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(key.MsgID))
	_, _ = d.Write(number[:]) // never fails
	for _, part := range [...]string{key.Account, key.To, key.From, key.Content} {
		_, _ = d.WriteString(part)
		_, _ = d.Write([]byte{0})
	}
	return d.Sum64()
}

// Answered remembers that WeChat has the answer to a message.
func (b *Backlog) Answered(msg *wechatv1.Message) {
	if key, ok := msg.Key(); ok {
		b.answered.add(hashOf(key))
	}
}

// WasAnswered tells whether this process remembers that.
func (b *Backlog) WasAnswered(msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	return ok && b.answered.has(hashOf(key))
}

// Listen tells those who ask what this process remembers, until the store closes.
func (b *Backlog) Listen() error {
	return errors.Join(b.hear(), b.store.Respond(answeredSubject, func(question []byte) bool {
		return len(question) == 8 && b.answered.has(binary.BigEndian.Uint64(question))
	}))
}

// hear remembers what processes that end hand over.
func (b *Backlog) hear() error {
	return b.store.Hear(handoverSubject, func(told []byte) {
		hashes := make([]uint64, len(told)/8)
		for i := range hashes {
			hashes[i] = binary.BigEndian.Uint64(told[8*i:])
		}
		b.answered.add(hashes...)
	})
}

// HandOver tells the others what this process remembers, which ends. Where they can't be told they do not hear of it.
func (b *Backlog) HandOver() {
	for hashes := range slices.Chunk(b.answered.all(), handedAtOnce) {
		var told []byte
		for _, hash := range hashes {
			told = binary.BigEndian.AppendUint64(told, hash)
		}
		if b.store.Tell(handoverSubject, told) != nil {
			return
		}
	}
}

// AnsweredMeanwhile tells whether WeChat has the answer to a message: it asks all who Listen. known is false where nobody
// does. The error is store.ErrAway where they can't be asked.
func (w *Work) AnsweredMeanwhile(ctx context.Context) (answered, known bool, err error) {
	hash := hashOf(w.record.Key)
	if w.b.answered.has(hash) { // it was handed over
		return true, true, nil
	}
	return w.b.store.Ask(ctx, answeredSubject, binary.BigEndian.AppendUint64(nil, hash), askTime)
}
