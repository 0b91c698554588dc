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

// WeChat may send a message twice at once. One copy may be answered in time while the other meets a replier that stands still
// and is stored. So before a stored message is answered, the gateways are asked whether they answered it. They remember that
// in their own memory: an answer in time touches no store.

const (
	// answeredLife is the least time for which an answer is remembered: longer than WeChat repeats a message.
	answeredLife = 30 * time.Second
	// answeredMost is how many answers are remembered of one such time, at some 16 bytes each.
	answeredMost = 1 << 20
	// askTime is how long an answer of the gateways is waited for.
	askTime = 300 * time.Millisecond

	answeredSubject = "wxgate.answered"
	handoverSubject = "wxgate.answered.handover"
	// handedAtOnce is how many answers are handed over in one message: a NATS server takes 1 MiB.
	handedAtOnce = 100_000
)

// recentKeys is a set of keys that forgets the old ones. It is safe for concurrent use.
type recentKeys struct {
	mu                sync.Mutex
	current, previous map[uint64]struct{}
	began             time.Time // of now
}

func newRecentKeys() recentKeys { return recentKeys{current: map[uint64]struct{}{}, began: time.Now()} }

func (r *recentKeys) addHashes(hashes ...uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.current) >= answeredMost || time.Since(r.began) > answeredLife {
		r.previous, r.current, r.began = r.current, make(map[uint64]struct{}, len(r.current)), time.Now()
	}
	for _, hash := range hashes {
		r.current[hash] = struct{}{}
	}
}

func (r *recentKeys) hasHash(hash uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, inCurrent := r.current[hash]
	_, inPrevious := r.previous[hash]
	return inCurrent || inPrevious
}

// allHashes returns the set.
func (r *recentKeys) allHashes() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]uint64, 0, len(r.current)+len(r.previous))
	for hash := range r.previous {
		all = append(all, hash)
	}
	for hash := range r.current {
		all = append(all, hash)
	}
	return all
}

// hashOf returns a key's hash, which is the same in all processes.
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

// MarkAnswered remembers that WeChat has the answer to a message.
func (b *Backlog) MarkAnswered(msg *wechatv1.Message) {
	if key, ok := msg.Key(); ok {
		b.answeredKeys.addHashes(hashOf(key))
	}
}

// AnsweredLocally reports whether this process remembers that WeChat has the answer to a message.
func (b *Backlog) AnsweredLocally(msg *wechatv1.Message) bool {
	key, ok := msg.Key()
	return ok && b.answeredKeys.hasHash(hashOf(key))
}

// ListenForQuestions answers AskAnswered of other processes, until the store closes.
func (b *Backlog) ListenForQuestions() error {
	return errors.Join(b.hearHandovers(), b.store.Respond(answeredSubject, func(question []byte) bool {
		return len(question) == 8 && b.answeredKeys.hasHash(binary.BigEndian.Uint64(question))
	}))
}

// hearHandovers remembers the answers that ending processes hand over.
func (b *Backlog) hearHandovers() error {
	return b.store.Subscribe(handoverSubject, func(told []byte) {
		hashes := make([]uint64, len(told)/8)
		for i := range hashes {
			hashes[i] = binary.BigEndian.Uint64(told[8*i:])
		}
		b.answeredKeys.addHashes(hashes...)
	})
}

// HandOver gives the answers that this process remembers to the others, as it ends. If the store is unreachable, they are lost.
func (b *Backlog) HandOver() {
	for hashes := range slices.Chunk(b.answeredKeys.allHashes(), handedAtOnce) {
		var told []byte
		for _, hash := range hashes {
			told = binary.BigEndian.AppendUint64(told, hash)
		}
		if b.store.Publish(handoverSubject, told) != nil {
			return
		}
	}
}

// AskAnswered asks all gateways whether WeChat has the answer to a message. known is false if no gateway replied. The error
// is store.ErrUnavailable if they cannot be asked.
func (w *Work) AskAnswered(ctx context.Context) (answered, known bool, err error) {
	hash := hashOf(w.record.Key)
	if w.backlog.answeredKeys.hasHash(hash) { // it was handed over
		return true, true, nil
	}
	return w.backlog.store.Request(ctx, answeredSubject, binary.BigEndian.AppendUint64(nil, hash), askTime)
}
