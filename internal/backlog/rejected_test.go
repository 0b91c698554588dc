package backlog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wxgate/internal/store"
)

// TestFindingsOversizedAnswerEnds: an answer that never fits into the store is ErrTooLarge at once; the message can be ended, and tried
// again, and other messages go on.
func TestFindingsOversizedAnswerEnds(t *testing.T) {
	b, _ := serve(t, store.Config{}, size)
	for name, store := range map[string]func(w *Work, content string) error{
		"pushed": func(w *Work, content string) error { return w.BeginAttempt(t.Context(), says(content), 1, 0) },
		"kept":   func(w *Work, content string) error { return w.KeepReply(t.Context(), says(content)) },
	} {
		t.Run(name, func(t *testing.T) {
			msg := message("anna"+name, "tell me all")
			w := must(b.Defer(t.Context(), msg, time.Now(), false, ""))(t)
			defer w.Release()
			err := store(w, strings.Repeat("x", 900_000))
			if !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrRejected) {
				t.Fatalf("an answer of 900 kB: %v; want ErrTooLarge", err)
			}
			if err := w.End(t.Context(), Refused, err.Error(), ""); err != nil {
				t.Fatal(err)
			}
			r := b.state(t, msg, Refused)
			if !strings.Contains(r.Reason, "too large") {
				t.Errorf("reason %q; want that it is too large", r.Reason)
			}
			if _, err := b.RetryDelivery(t.Context(), w.ID()); err != nil {
				t.Errorf("retry: %v", err)
			}
		})
	}
	// The largest answer that fits leaves room for how it ends.
	msg := message("bert", "all that fits")
	w := must(b.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	defer w.Release()
	var err error
	for n := 800_000; n > 700_000; n -= 500 {
		if err = w.BeginAttempt(t.Context(), says(strings.Repeat("x", n)), 1, 0); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.End(t.Context(), Uncertain, strings.Repeat("why ", 500), ""); err != nil {
		t.Errorf("end: %v", err)
	}
	if w.record.Message == nil || w.record.Reply == nil {
		t.Error("an end that fits dropped the message")
	}
	// Nobody can store it: what ends it has neither message nor answer.
	msg = message("carl", strings.Repeat("y", 100))
	w = must(b.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	defer w.Release()
	w.record.Reply = make([]byte, 900_000)
	if err := w.End(t.Context(), Refused, "", ""); err != nil {
		t.Errorf("end: %v", err)
	}
	if _, err := b.RetryDelivery(t.Context(), w.ID()); !errors.Is(err, ErrNotFailed) {
		t.Errorf("retry without a message: %v; want ErrNotFailed", err)
	}
}

// TestFindingsInvalidAnswerIsRejected: what protobuf cannot hold is the answer's fault, and said.
func TestFindingsInvalidAnswerIsRejected(t *testing.T) {
	b, _ := serve(t, store.Config{}, size)
	msg := message("anna", "hello")
	w := must(b.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	defer w.Release()
	if err := w.BeginAttempt(t.Context(), says("\xff"), 1, 0); !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("got %v; want ErrRejected, and why", err)
	}
}
