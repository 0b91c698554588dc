package backlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	replierv1 "wxgate/proto/replier/v1"
)

// Errors of GetDelivery and RetryDelivery.
var (
	ErrUnknown   = errors.New("no such message; it may have ended long ago")
	ErrNotFailed = errors.New("the message did not fail")
)

// GetDelivery returns what became of a message. The error is ErrUnknown, store.ErrUnavailable or the context's.
func (b *Backlog) GetDelivery(ctx context.Context, id string) (*replierv1.Delivery, error) {
	w := &Work{backlog: b, id: id}
	switch err := w.loadRecord(ctx); {
	case errors.Is(err, ErrTaken):
		return nil, ErrUnknown
	case err != nil:
		return nil, err
	}
	return w.record.Delivery(), nil
}

// ListDeliveries returns the messages of an account and a user ("" for all) in some states (none for all), the oldest first:
// at most limit. token is the next of the previous call, "" for the first page; next is "" after the last page.
func (b *Backlog) ListDeliveries(account, openid string, states []State, limit int, token string) (page []*replierv1.Delivery, next string) {
	all := b.index.listEntries(func(e *entry) bool {
		return (account == "" || e.Key.Account == account) && (openid == "" || e.Key.From == openid) &&
			(len(states) == 0 || slices.Contains(states, e.State)) && e.listPosition() > token
	})
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.listPosition(), b.listPosition()) })
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].listPosition()
	}
	for i := range all {
		page = append(page, all[i].Delivery())
	}
	return page, next
}

// listPosition returns the sort key of a message in ListDeliveries.
func (e *entry) listPosition() string { return fmt.Sprintf("%016x-%s", e.Came.UnixMilli(), e.id) }

// RetryDelivery makes a failed message pending again, as if it came now; parts that WeChat took are not sent again. The error
// is ErrUnknown, ErrNotFailed, ErrTaken if it is being retried already, store.ErrUnavailable or the context's.
func (b *Backlog) RetryDelivery(ctx context.Context, id string) (*replierv1.Delivery, error) {
	w := &Work{backlog: b, id: id}
	switch err := w.loadRecord(ctx); {
	case errors.Is(err, ErrTaken):
		return nil, ErrUnknown
	case err != nil:
		return nil, err
	case !isFailed(w.record.State) || len(w.record.Message) == 0: // a message that did not fit into the store is gone
		return nil, ErrNotFailed
	}
	r := w.record
	r.State, r.Owner, r.Takes, r.Taken, r.Retries, r.Reason, r.Failure, r.Errcode, r.Came = Pending, "", 0, time.Time{}, 0, "", "", "", time.Now()
	if err := w.putRecord(ctx, r); err != nil {
		return nil, err
	}
	b.WakeNext()
	return r.Delivery(), nil
}
