package oauthsvc

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
)

// sends makes an attempt that is named.
func (f *fixture) sends(ctx context.Context, id string) error {
	_, err := f.SendCustomMessage(ctx, &oauthv1.SendCustomMessageRequest{Openid: testOpenID, AttemptId: id,
		Message: &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Text{Text: testText}}})
	return err
}

// checks asks for the outcome of one.
func (f *fixture) checks(ctx context.Context, id string, age time.Duration) error {
	_, err := f.CheckCustomMessage(ctx, &oauthv1.CheckCustomMessageRequest{AttemptId: id, AgeMs: age.Milliseconds()})
	return err
}

// TestAttempts: each replica that shares the store knows the outcome of an attempt that another made, and none makes it twice.
func TestAttempts(t *testing.T) {
	p := newPlatform()
	all := p.replicas(t)
	p.says(sendCall, ok, refusedWith(45047), ok)
	if err := all[0].sends(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	expect(t, all[0].sends(t.Context(), "two"), codes.ResourceExhausted, "MESSAGE_LIMIT")
	for _, f := range all {
		for range 2 {
			if err := f.checks(t.Context(), "one", time.Second); err != nil {
				t.Errorf("one: %v", err)
			}
			if err := f.sends(t.Context(), "one"); err != nil {
				t.Errorf("one again: %v", err)
			}
			expect(t, f.checks(t.Context(), "two", time.Second), codes.ResourceExhausted, "MESSAGE_LIMIT")
			expect(t, f.checks(t.Context(), "three", time.Second), codes.NotFound, "MESSAGE_UNKNOWN")
			expect(t, f.sends(t.Context(), "three"), codes.NotFound, "MESSAGE_UNKNOWN")
		}
	}
	if n := len(p.got(sendCall)); n != 2 {
		t.Errorf("WeChat got %d messages, want 2", n)
	}
}

// TestAttemptGoesOn: an attempt is made even if its caller is gone, and CheckCustomMessage waits for its end.
func TestAttemptGoesOn(t *testing.T) {
	p := newPlatform()
	came, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if call(r.URL.Path) == sendCall {
			body, _ := io.ReadAll(r.Body) // the attempt is claimed when its first byte leaves
			r.Body = io.NopCloser(bytes.NewReader(body))
			once.Do(func() { close(came) })
			<-goOn
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	f := startWith(t, func(cfg *Config) { cfg.APIURL = api.URL })
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- f.sends(ctx, "one") }()
	<-came
	leave()
	if err := <-gone; status.Code(err) != codes.Canceled {
		t.Errorf("who left: %v", err)
	}
	answer := make(chan error, 1)
	go func() { answer <- f.checks(t.Context(), "one", 0) }()
	limited, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := f.checks(limited, "one", 0); err == nil || service.SpecificInfo(err) != nil {
		t.Errorf("while it goes on: %v; want an error of the question", err)
	}
	close(goOn)
	if err := <-answer; err != nil {
		t.Errorf("at its end: %v", err)
	}
	if n := len(p.got(sendCall)); n != 1 {
		t.Errorf("WeChat got %d messages, want 1", n)
	}
}

// maybe reports whether an error says that WeChat may have the message.
func maybe(t *testing.T, err error) bool {
	t.Helper()
	return err != nil && seen(t, err).Meta["maybe_sent"] == "true"
}

// TestAttemptNotKnown: nothing is said of an attempt that may have come and gone.
func TestAttemptNotKnown(t *testing.T) {
	kept, _ := openStore(t, store.Config{Dir: t.TempDir()})
	p := newPlatform()
	f := p.serveWith(t, func(cfg *Config) { cfg.Store = kept })
	bucket, err := kept.Bucket("oauth_sends", keepSend)
	if err != nil {
		t.Fatal(err)
	}
	a := f.account(t)
	if err := bucket.Put(t.Context(), sendKey(a, "died", 1), sendTry{By: "somebody"}.encodeJSON()); err != nil {
		t.Fatal(err)
	}
	if err := bucket.Put(t.Context(), sendKey(a, "odd", 1), []byte("[]")); err != nil {
		t.Fatal(err)
	}
	if err := f.checks(t.Context(), "died", sendOver+time.Second); !maybe(t, err) {
		t.Errorf("its process died: %v", err)
	}
	if err := f.checks(t.Context(), "odd", 0); !maybe(t, err) {
		t.Errorf("another version's: %v", err)
	}
	if err := f.checks(t.Context(), "old", askSend+time.Second); !maybe(t, err) {
		t.Errorf("longer ago than it is kept: %v", err)
	}
	expect(t, f.checks(t.Context(), "young", askSend-time.Second), codes.NotFound, "MESSAGE_UNKNOWN")

	memory := p.serve(t) // nothing outlives the process
	if err := memory.checks(t.Context(), "before", time.Hour/10); !maybe(t, err) {
		t.Errorf("before the process began: %v", err)
	}
	expect(t, memory.checks(t.Context(), "since", 0), codes.NotFound, "MESSAGE_UNKNOWN")

	p.says(sendCall, refusedWith(-1))
	expect(t, f.sends(t.Context(), "busy"), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
	expect(t, f.checks(t.Context(), "busy", 0), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
}

// TestAttemptBadInput: the error of a wrong name or age names the field.
func TestAttemptBadInput(t *testing.T) {
	f := newPlatform().serve(t)
	long := strings.Repeat("x", maxAttemptID+1)
	for _, err := range []error{f.sends(t.Context(), long), f.checks(t.Context(), long, 0), f.checks(t.Context(), "", 0), f.checks(t.Context(), "a", -time.Second)} {
		expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	}
}
