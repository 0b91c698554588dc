package backlog

import (
	"context"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// keepFetched is how long an answer is kept that a user's message fetched: for the message's other attempts.
const keepFetched = time.Minute

// attemptKey returns the key by which the attempts to send a message are known; zero if WeChat did not send it: it is sent once.
func attemptKey(msg *wechatv1.Message) wechatv1.Key {
	key, ok := msg.Key()
	if !ok {
		return wechatv1.Key{}
	}
	return key
}

// Waits reports whether a message is to be answered by Fetch: its user waits for the answer to an earlier one, or it fetched
// that before.
func (b *Backlog) Waits(msg *wechatv1.Message) bool {
	if b.index.empty() {
		return false
	}
	key := attemptKey(msg)
	if _, ok := b.index.fetched(key); ok {
		return true
	}
	e, _, ok := b.index.later(user{msg.GetAccount(), msg.GetFromUserName()})
	return ok && key != e.Key
}

// Fetch returns the answer that was kept for the user of a message, which waits for one no more then. The other attempts to send
// the message get it too. While the answer is not ready Fetch waits as long as ctx lasts, and then returns the text that the
// user was told. pending is false if the user waits for nothing. Users who do not wait cost no look into the store.
func (b *Backlog) Fetch(ctx context.Context, msg *wechatv1.Message) (reply *wechatv1.Reply, text string, pending bool) {
	u := user{msg.GetAccount(), msg.GetFromUserName()}
	key := attemptKey(msg)
	for {
		if b.index.empty() {
			return nil, "", false
		}
		if reply := b.fetchedBy(ctx, key); reply != nil {
			return reply, "", true
		}
		e, changed, ok := b.index.later(u)
		if !ok || key == e.Key {
			return nil, "", false
		}
		if e.State == Kept {
			w := &Work{b: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
			if w.load(ctx) == nil {
				if reply, _ = w.Reply(); w.handOver(ctx, key) == nil {
					return reply, "", true
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, e.Text, true
		}
	}
}

// handOver ends a message whose answer another message of the user fetches. The answer is kept a little for the other attempts
// to send that one.
func (w *Work) handOver(ctx context.Context, fetcher wechatv1.Key) error {
	r := w.record
	reply := r.Reply
	r.conclude(Ending{State: Sent})
	if r.State == Sent && fetcher != (wechatv1.Key{}) {
		r.Reply, r.Fetcher = reply, &fetcher
	}
	err := w.put(ctx, r)
	if err == nil {
		w.b.note(&r)
	}
	return err
}

// fetchedBy returns the answer that a message fetched a moment ago; nil for none.
func (b *Backlog) fetchedBy(ctx context.Context, key wechatv1.Key) *wechatv1.Reply {
	e, ok := b.index.fetched(key)
	if !ok {
		return nil
	}
	w := &Work{b: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
	if w.load(ctx) != nil {
		return nil
	}
	reply, _ := w.Reply()
	return reply
}
