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

// Errors of RetryDelivery.
var (
	ErrUnknown   = errors.New("no such message; it may have ended long ago")
	ErrNotFailed = errors.New("the message did not fail")
)

// Get returns what became of a message. The error is ErrUnknown, store.ErrAway or the context's.
func (b *Backlog) Get(ctx context.Context, id string) (*replierv1.Delivery, error) {
	w := &Work{b: b, id: id}
	switch err := w.load(ctx); {
	case errors.Is(err, ErrTaken):
		return nil, ErrUnknown
	case err != nil:
		return nil, err
	}
	return w.record.Delivery(), nil
}

// List returns the messages of an account and a user ("" for all) in some states (none for all), the oldest first: at
// most so many. token is the next of the call before, "" for the first; next is "" where nothing follows.
func (b *Backlog) List(account, openid string, states []State, most int, token string) (page []*replierv1.Delivery, next string) {
	all := b.index.list(func(e *entry) bool {
		return (account == "" || e.Key.Account == account) && (openid == "" || e.Key.From == openid) &&
			(len(states) == 0 || slices.Contains(states, e.State)) && e.place() > token
	})
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.place(), b.place()) })
	if len(all) > most {
		all = all[:most]
		next = all[most-1].place()
	}
	for i := range all {
		page = append(page, all[i].Delivery())
	}
	return page, next
}

// place is where a message stands in the list of all.
func (e *entry) place() string { return fmt.Sprintf("%016x-%s", e.Came.UnixMilli(), e.id) }

// Retry has a message that failed answered again, as if it came now; parts that WeChat took are not sent again. The error
// is ErrUnknown, ErrNotFailed, ErrTaken where others retry it too, store.ErrAway or the context's.
func (b *Backlog) Retry(ctx context.Context, id string) (*replierv1.Delivery, error) {
	w := &Work{b: b, id: id}
	switch err := w.load(ctx); {
	case errors.Is(err, ErrTaken):
		return nil, ErrUnknown
	case err != nil:
		return nil, err
	case !failed(w.record.State) || len(w.record.Message) == 0: // nothing is left of one that did not fit
		return nil, ErrNotFailed
	}
	r := w.record
	r.State, r.Owner, r.Takes, r.Taken, r.Retries, r.Reason, r.Failure, r.Errcode, r.Came = Pending, "", 0, time.Time{}, 0, "", "", "", time.Now()
	if err := w.put(ctx, r); err != nil {
		return nil, err
	}
	b.Wake()
	return r.Delivery(), nil
}
