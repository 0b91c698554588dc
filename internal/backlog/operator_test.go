package backlog

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/store"
)

// TestOperator: what waits and what failed is listed, found and tried again.
func TestOperator(t *testing.T) {
	b, _ := serve(t, store.Config{}, size)
	var ids []string
	for _, user := range []string{"oA", "oA", "oB"} {
		w := must(b.Defer(t.Context(), message(user, "hello"), time.Now(), false, ""))(t)
		ids = append(ids, w.ID())
		if user == "oB" {
			if err := w.End(t.Context(), Refused, "WINDOW_CLOSED", "45015"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond) // the order is that of milliseconds
	}
	list := func(account, openid string, states []State, most int, token string) (got []string, next string) {
		page, next := b.ListDeliveries(account, openid, states, most, token)
		for _, d := range page {
			got = append(got, d.Id)
		}
		return got, next
	}
	for name, tt := range map[string]struct {
		account, openid string
		states          []State
		want            []string
	}{
		"all": {"", "", nil, ids}, "account": {"shop", "", nil, ids}, "other": {"club", "", nil, nil},
		"user": {"", "oA", nil, ids[:2]}, "state": {"", "", []State{Refused, Expired}, ids[2:]},
	} {
		if got, next := list(tt.account, tt.openid, tt.states, 10, ""); !cmp.Equal(tt.want, got) || next != "" {
			t.Errorf("%s: %v, %q; want %v", name, got, next, tt.want)
		}
	}
	var pages []string
	token := ""
	for range 3 {
		var page []string
		page, token = list("", "", nil, 1, token)
		pages = append(pages, page...)
	}
	if !cmp.Equal(ids, pages) || token != "" {
		t.Errorf("pages %v, %q; want %v", pages, token, ids)
	}
	d := must(b.GetDelivery(t.Context(), ids[2]))(t)
	if d.State != Refused || d.Reason != "WINDOW_CLOSED" || d.Errcode != "45015" || d.Openid != "oB" || d.MsgType != "text" {
		t.Errorf("got %v", d)
	}
	if _, err := b.RetryDelivery(t.Context(), ids[0]); !errors.Is(err, ErrNotFailed) {
		t.Errorf("Retry of what waits: %v", err)
	}
	for _, err := range []error{second(b.GetDelivery(t.Context(), "00")), second(b.RetryDelivery(t.Context(), "00"))} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
	}
	if d := must(b.RetryDelivery(t.Context(), ids[2]))(t); d.State != Pending || d.Reason != "" {
		t.Errorf("retried: %v", d)
	}
	if w := b.next(t, patience); w == nil || w.ID() != ids[2] {
		t.Errorf("taken: %v; want %s", w, ids[2])
	}
}

func second[T any](_ T, err error) error { return err }
