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

	"wxgate/internal/service"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Work is a message that this replica works on until Release. It is for one goroutine.
type Work struct {
	backlog  *Backlog
	id       string
	record   Record
	revision uint64
	bare     bool // record is from the index, without message and reply
}

// Defer stores a message that arrived at came and that this replica works on already, or takes it over if it is stored and
// no replica works on it. later and text are as for Store. The error is ErrFull, ErrNoKey, ErrRejected, ErrTaken if another
// replica works on the message, store.ErrUnavailable or the context's.
func (b *Backlog) Defer(ctx context.Context, msg *wechatv1.Message, came time.Time, later bool, text string) (*Work, error) {
	key, ok := msg.Key()
	if !ok {
		return nil, ErrNoKey
	}
	if b.index.isFull(b.size) {
		return nil, ErrFull
	}
	r, err := newRecord(key, msg, came)
	if err != nil {
		return nil, err
	}
	r.Later, r.Text = later, text
	r.setOwner(b.replicas.me, true)
	w := &Work{backlog: b, id: key.ID()}
	b.active.startWork(w.id)
	if err = w.putRecord(ctx, r); errors.Is(err, ErrTaken) {
		if err = w.loadRecord(ctx); err == nil && (w.record.State != Pending || w.record.Owner != "") {
			err = ErrTaken
		}
		if err == nil {
			r = w.record
			r.Later, r.Text = later, text
			r.setOwner(b.replicas.me, true)
			err = w.putRecord(ctx, r)
		}
	}
	if err != nil {
		w.Release() // it may be stored nevertheless: then Next finds it
		return nil, err
	}
	return w, nil
}

// activeMessages counts the Works of each message, by id. The zero activeMessages is empty.
type activeMessages struct {
	mu   sync.Mutex
	byID map[string]int
}

func (w *activeMessages) startWork(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID == nil {
		w.byID = map[string]int{}
	}
	w.byID[id]++
}

func (w *activeMessages) endWork(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID[id]--; w.byID[id] == 0 {
		delete(w.byID, id)
	}
}

func (w *activeMessages) isActive(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byID[id] > 0
}

// Release ends this replica's work on the message. One that has not ended is taken over again, by this replica or another.
func (w *Work) Release() { w.backlog.active.endWork(w.id) }

// putRecord changes the record. While the store is unreachable it tries again, until ctx ends: then the error wraps the
// context's and the store's. ErrTaken means that another replica changed the record; ErrRejected, that the store will never
// take it as it is.
func (w *Work) putRecord(ctx context.Context, r Record) error {
	r.Updated = time.Now()
	value := r.encode()
	var cause error // of the attempt before
	for {
		revision, err := w.tryPutRecord(ctx, value, r.timeToLive(), cause != nil)
		switch {
		case err == nil:
			w.record, w.revision = r, revision
			w.backlog.index.setRecord(w.id, r, len(value), revision)
			return nil
		case errors.Is(err, store.ErrUnavailable):
			if cause = err; service.SleepContext(ctx, lookAgain/2) {
				continue
			}
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		case cause != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return err
	}
}

// tryPutRecord tries once. If again is true, an attempt before may have changed the record although it failed.
func (w *Work) tryPutRecord(ctx context.Context, value []byte, life time.Duration, again bool) (revision uint64, err error) {
	table, err := w.backlog.openTable(ctx)
	if err != nil {
		return 0, err
	}
	if revision, err = table.PutIfRevision(ctx, w.id, value, w.revision, life); revision != 0 || err != nil {
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

// loadRecord reads the record from the store.
func (w *Work) loadRecord(ctx context.Context) error {
	table, err := w.backlog.openTable(ctx)
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

// Reply returns the message's answer, nil if there is none yet, and how many parts of it WeChat took.
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

// IsLater reports whether the user's next message fetches the answer.
func (w *Work) IsLater() bool { return w.record.Later }

// Retries returns how many attempts WeChat asked to repeat.
func (w *Work) Retries() int { return w.record.Retries }

// IsExpired reports whether WeChat's window for the answer has ended.
func (w *Work) IsExpired() bool { return w.record.isExpired() }

// AwaitTurn waits until all earlier messages of the user are answered. The error is the context's.
func (w *Work) AwaitTurn(ctx context.Context) error {
	for {
		earlier, changed := w.backlog.index.hasEarlier(&w.record)
		if !earlier {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// BeginAttempt notes that the next part of the answer is given to WeChat now, after sent parts. The part may be sent only if
// there is no error. It waits for the store: the error is ErrTaken, the context's, or ErrRejected if the answer never fits,
// so that the message should be ended.
func (w *Work) BeginAttempt(ctx context.Context, reply *wechatv1.Reply, parts, sent int) error {
	r := w.record
	r.State, r.Parts, r.Sent, r.Attempt, r.Begun = Sending, parts, sent, rand.Text(), time.Now()
	return w.putReply(ctx, r, reply)
}

// LastAttempt returns the last attempt to send a part of the answer. open is true if its result is not noted yet.
func (w *Work) LastAttempt() (id string, begun time.Time, open bool) {
	return w.record.Attempt, w.record.Begun, w.record.State == Sending
}

// NoteRetry notes that an attempt failed and will be repeated.
func (w *Work) NoteRetry(ctx context.Context, reason, errcode string) error {
	r := w.record
	r.State, r.Reason, r.Errcode, r.Retries = Pending, reason, errcode, r.Retries+1
	return w.putRecord(ctx, r)
}

// KeepReply keeps the answer for the user's next message. The error is as for BeginAttempt.
func (w *Work) KeepReply(ctx context.Context, reply *wechatv1.Reply) error {
	r := w.record
	r.State, r.Later = Kept, true
	return w.putReply(ctx, r, reply)
}

// headroom is how many bytes a record may grow after its answer is made, by reasons and states.
const headroom = 4 << 10

// putReply changes the record to r with an answer.
func (w *Work) putReply(ctx context.Context, r Record, reply *wechatv1.Reply) (err error) {
	if r.Reply, err = proto.Marshal(reply); err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	if size, most := len(r.encode())+headroom, w.backlog.store.MaxValue(); size > most && most > 0 {
		return fmt.Errorf("%w: message and answer take %d bytes of %d", ErrTooLarge, size, most)
	}
	return w.putRecord(ctx, r)
}

// End ends the message. If its record does not fit into the store it ends without message and answer.
func (w *Work) End(ctx context.Context, state State, reason, errcode string) error {
	r := w.record
	r.conclude(Ending{state, reason, errcode})
	err := w.putRecord(ctx, r)
	if errors.Is(err, ErrTooLarge) {
		r.Message, r.Reply = nil, nil
		err = w.putRecord(ctx, r)
	}
	if err == nil {
		w.backlog.reportEnd(&r)
	}
	return err
}

// outcomeName returns the name of a state in logs and metrics.
func outcomeName(s State) string {
	return strings.ToLower(strings.TrimPrefix(replierv1.DeliveryState_name[int32(s)], "DELIVERY_STATE_"))
}
