package backlog

import (
	"context"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// keepFetched is how long an answer that a message fetched is kept for the message's other attempts.
const keepFetched = time.Minute

// attemptKey returns the key that all attempts to send a message share; zero for a message that WeChat did not send.
func attemptKey(msg *wechatv1.Message) wechatv1.Key {
	key, ok := msg.Key()
	if !ok {
		return wechatv1.Key{}
	}
	return key
}

// FetchesAnswer reports whether a message is to be answered by FetchAnswer: its user waits for the answer to an earlier message,
// or it fetched that before.
func (b *Backlog) FetchesAnswer(msg *wechatv1.Message) bool {
	if b.index.isEmpty() {
		return false
	}
	key := attemptKey(msg)
	if _, ok := b.index.findByFetcher(key); ok {
		return true
	}
	e, _, ok := b.index.firstLater(userKey{msg.GetAccount(), msg.GetFromUserName()})
	return ok && key != e.Key
}

// FetchAnswer returns the answer that was kept for the user of a message. The other attempts to send the message get it too.
// It waits while the answer is not ready; when ctx ends it returns the text that the user was told before. pending is false
// if the user waits for no answer: then the store was not asked.
func (b *Backlog) FetchAnswer(ctx context.Context, msg *wechatv1.Message) (reply *wechatv1.Reply, text string, pending bool) {
	u := userKey{msg.GetAccount(), msg.GetFromUserName()}
	key := attemptKey(msg)
	for {
		if b.index.isEmpty() {
			return nil, "", false
		}
		if reply := b.fetchedBy(ctx, key); reply != nil {
			return reply, "", true
		}
		e, changed, ok := b.index.firstLater(u)
		if !ok || key == e.Key {
			return nil, "", false
		}
		if e.State == Kept {
			w := &Work{backlog: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
			if w.loadRecord(ctx) == nil {
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
	err := w.putRecord(ctx, r)
	if err == nil {
		w.backlog.reportEnd(&r)
	}
	return err
}

// fetchedBy returns the answer that a message fetched a moment ago; nil for none.
func (b *Backlog) fetchedBy(ctx context.Context, key wechatv1.Key) *wechatv1.Reply {
	e, ok := b.index.findByFetcher(key)
	if !ok {
		return nil
	}
	w := &Work{backlog: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
	if w.loadRecord(ctx) != nil {
		return nil
	}
	reply, _ := w.Reply()
	return reply
}
