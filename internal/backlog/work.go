package backlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Work is a message that this replica works on, until Release. It is for one goroutine.
type Work struct {
	b        *Backlog
	id       string
	record   Record
	revision uint64
	bare     bool // the record is without message and reply, as the index has it
}

// Defer stores a message that came at a time and that this replica works on already, or takes it where somebody stored
// it and nobody works on it. later tells whether the user's next message gets the answer, else it is sent; text is what
// the user is told meanwhile.
// The error is ErrFull, ErrNoKey, ErrTaken where another replica works on it, store.ErrAway or the context's.
func (b *Backlog) Defer(ctx context.Context, msg *wechatv1.Message, came time.Time, later bool, text string) (*Work, error) {
	key, ok := msg.Key()
	if !ok {
		return nil, ErrNoKey
	}
	if b.index.full(b.size) {
		return nil, ErrFull
	}
	r, err := newRecord(key, msg, came)
	if err != nil {
		return nil, err
	}
	r.Later, r.Text = later, text
	r.take(b.replicas.me, true)
	w := &Work{b: b, id: key.ID()}
	b.works.begin(w.id)
	if err = w.put(ctx, r); errors.Is(err, ErrTaken) {
		if err = w.load(ctx); err == nil && (w.record.State != Pending || w.record.Owner != "") {
			err = ErrTaken
		}
		if err == nil {
			r = w.record
			r.Later, r.Text = later, text
			r.take(b.replicas.me, true)
			err = w.put(ctx, r)
		}
	}
	if err != nil {
		w.Release() // it may be stored nevertheless: then it is an orphan
		return nil, err
	}
	return w, nil
}

// works are the messages that this replica works on, by id, and on how many of each. The zero works is empty.
type works struct {
	mu  sync.Mutex
	ids map[string]int
}

func (w *works) begin(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		w.ids = map[string]int{}
	}
	w.ids[id]++
}

func (w *works) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids[id]--; w.ids[id] == 0 {
		delete(w.ids, id)
	}
}

func (w *works) has(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[id] > 0
}

// Release says that this replica works on the message no more. One that did not end is taken again, here or elsewhere.
func (w *Work) Release() { w.b.works.end(w.id) }

// put changes the record. While the store cannot write it is tried again, until ctx ends; then the error wraps the
// context's, and why the store could not write. ErrTaken: the record was changed before. ErrRejected: it will never be
// taken as it is.
func (w *Work) put(ctx context.Context, r Record) error {
	r.Updated = time.Now()
	value := r.encode()
	var cause error // of the attempt before
	for {
		revision, err := w.tryPut(ctx, value, r.life(), cause != nil)
		switch {
		case err == nil:
			w.record, w.revision = r, revision
			w.b.index.set(w.id, r, len(value), revision)
			return nil
		case errors.Is(err, store.ErrAway):
			if cause = err; sleep(ctx, lookAgain/2) {
				continue
			}
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		case cause != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return err
	}
}

// tryPut tries once. After an attempt that failed, it may have been done: then the record is as it should be.
func (w *Work) tryPut(ctx context.Context, value []byte, life time.Duration, again bool) (revision uint64, err error) {
	table, err := w.b.table(ctx)
	if err != nil {
		return 0, err
	}
	if revision, err = table.Put(ctx, w.id, value, w.revision, life); revision != 0 || err != nil {
		return revision, err
	}
	if !again {
		return 0, ErrTaken
	}
	stored, revision, err := table.Get(ctx, w.id)
	if err == nil && !bytes.Equal(stored, value) {
		err = ErrTaken
	}
	return revision, err
}

// load reads the record anew.
func (w *Work) load(ctx context.Context) error {
	table, err := w.b.table(ctx)
	if err != nil {
		return err
	}
	value, revision, err := table.Get(ctx, w.id)
	if err != nil {
		return err
	}
	r, ok := decodeRecord(value)
	if revision == 0 || !ok || w.bare && revision != w.revision {
		return ErrTaken
	}
	w.record, w.revision, w.bare = r, revision, false
	return nil
}

// ID returns the message's id in the backlog.
func (w *Work) ID() string { return w.id }

// Account returns the name of the message's account.
func (w *Work) Account() string { return w.record.Key.Account }

// Message returns the message.
func (w *Work) Message() (*wechatv1.Message, error) {
	msg := &wechatv1.Message{}
	if err := proto.Unmarshal(w.record.Message, msg); err != nil {
		return nil, fmt.Errorf("the stored message: %w", err)
	}
	return msg, nil
}

// Reply returns the answer that was made for the message, nil where there is none yet, and how many parts of it WeChat
// took.
func (w *Work) Reply() (reply *wechatv1.Reply, sent int) {
	if len(w.record.Reply) == 0 {
		return nil, 0
	}
	reply = &wechatv1.Reply{}
	if err := proto.Unmarshal(w.record.Reply, reply); err != nil {
		return nil, 0
	}
	return reply, w.record.Sent
}

// Later tells whether the user's next message gets the answer.
func (w *Work) Later() bool { return w.record.Later }

// Retries returns how often WeChat was asked in vain.
func (w *Work) Retries() int { return w.record.Retries }

// Over tells whether WeChat's window for the answer has ended.
func (w *Work) Over() bool { return w.record.over() }

// Turn waits until all earlier messages of the user are answered. The error is the context's.
func (w *Work) Turn(ctx context.Context) error {
	for {
		ahead, changed := w.b.index.ahead(&w.record)
		if !ahead {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Begin says that the next part of the answer is given to WeChat now; only then it may be. The error is ErrTaken or the
// context's, as the store is waited for, or ErrRejected: such an answer never fits, and the message should be ended.
func (w *Work) Begin(ctx context.Context, reply *wechatv1.Reply, parts, sent int) error {
	r := w.record
	r.State, r.Parts, r.Sent, r.Attempt, r.Begun = Sending, parts, sent, rand.Text(), time.Now()
	return w.putReply(ctx, r, reply)
}

// Attempt names the attempt to give WeChat a part of the answer, and tells when it was begun; open is true where nobody
// noted yet what became of it.
func (w *Work) Attempt() (id string, begun time.Time, open bool) {
	return w.record.Attempt, w.record.Begun, w.record.State == Sending
}

// Again says that WeChat was asked in vain, and will be again.
func (w *Work) Again(ctx context.Context, reason, errcode string) error {
	r := w.record
	r.State, r.Reason, r.Errcode, r.Retries = Pending, reason, errcode, r.Retries+1
	return w.put(ctx, r)
}

// Keep keeps the answer for the user's next message. The error is as for Begin.
func (w *Work) Keep(ctx context.Context, reply *wechatv1.Reply) error {
	r := w.record
	r.State, r.Later = Kept, true
	return w.putReply(ctx, r, reply)
}

// headroom is how many bytes a record may grow after its answer: by what became of that.
const headroom = 4 << 10

// putReply changes the record to one with an answer.
func (w *Work) putReply(ctx context.Context, r Record, reply *wechatv1.Reply) (err error) {
	if r.Reply, err = proto.Marshal(reply); err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	if size, most := len(r.encode())+headroom, w.b.store.MaxValue(); size > most && most > 0 {
		return fmt.Errorf("%w: message and answer take %d bytes of %d", ErrTooLarge, size, most)
	}
	return w.put(ctx, r)
}

// End ends the message. If its record does not fit into the store it ends without message and answer.
func (w *Work) End(ctx context.Context, state State, reason, errcode string) error {
	r := w.record
	r.conclude(Ending{state, reason, errcode})
	err := w.put(ctx, r)
	if errors.Is(err, ErrTooLarge) {
		r.Message, r.Reply = nil, nil
		err = w.put(ctx, r)
	}
	if err == nil {
		w.b.note(&r)
	}
	return err
}

// outcome is a state as logs and metrics have it.
func outcome(s State) string {
	return strings.ToLower(strings.TrimPrefix(replierv1.DeliveryState_name[int32(s)], "DELIVERY_STATE_"))
}
