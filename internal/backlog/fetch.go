package backlog

import (
	"context"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Waits tells whether the user of a message waits for the answer to an earlier one, which Fetch returns.
func (b *Backlog) Waits(msg *wechatv1.Message) bool {
	if b.index.empty() {
		return false
	}
	e, _, ok := b.index.later(user{msg.GetAccount(), msg.GetFromUserName()})
	key, _ := msg.Key()
	return ok && key != e.Key
}

// Fetch returns the answer that was kept for the user of a message, which waits for one no more then. Where the answer is
// not ready it waits while ctx lasts, and then returns the text that the user was told. pending is false where the user
// waits for nothing. Users who do not wait cost no look into the store.
func (b *Backlog) Fetch(ctx context.Context, msg *wechatv1.Message) (reply *wechatv1.Reply, text string, pending bool) {
	u := user{msg.GetAccount(), msg.GetFromUserName()}
	for {
		if b.index.empty() {
			return nil, "", false
		}
		e, changed, ok := b.index.later(u)
		if key, _ := msg.Key(); !ok || key == e.Key {
			return nil, "", false
		}
		if e.State == Kept {
			w := &Work{b: b, id: e.id, record: e.Record, revision: e.revision, bare: true}
			if w.load(ctx) == nil {
				if reply, _ = w.Reply(); w.End(ctx, Sent, "", "") == nil {
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
