package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
)

func TestLoadFailures(t *testing.T) {
	serve := func(h http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			return srv.URL
		}
	}
	say := func(status int, body string) func(*testing.T) string {
		return serve(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	answer := func(reply func(got) string) func(*testing.T) string {
		return func(t *testing.T) string { return gateway(t, testAccount(sender.Plain), reply).URL }
	}
	other := func(c got) string {
		run := c.Content[:strings.LastIndex(c.Content, "-")+1]
		return "You said: " + run + "999999"
	}
	for _, c := range []struct {
		name   string
		server func(*testing.T) string
		echo   bool
		kind   string // "": none fails
		detail string
	}{
		{"nobody there", func(t *testing.T) string {
			srv := httptest.NewServer(nil)
			srv.Close()
			return srv.URL
		}, false, refused, "connection refused"},
		{"forbidden", say(403, "forbidden"), false, "status 403", "Forbidden"},
		{"HTML error page", say(502, "<html></html>"), false, "status 502", "Bad Gateway"},
		{"redirect", serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }), false, "status 302", "Found"},
		{"HTML", say(200, "<html><body>hello</body></html>"), false, badAnswer, "the answer is an HTML page"},
		{"JSON", say(200, `{"errcode":0}`), false, badAnswer, "the answer is JSON"},
		{"10 MB", say(200, strings.Repeat(" ", 10<<20)), false, badAnswer, "longer than 1 MiB"},
		{"no bytes", say(200, ""), false, "", ""},
		{"hangs up", serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, broken, "EOF"},
		{"half an answer", serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "<xml>")
		}), false, broken, "unexpected EOF"},
		{"swapped names", serve(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, textReply(got{FromUserName: gh, ToUserName: gh}, "hi"))
		}), false, badAnswer, "ToUserName is not the user's openid"},
		{"another's answer", answer(other), false, wrongAnswer, "You said: load-"},
		{"quotes", answer(func(c got) string { return other(c) + " and " + c.Content + "!" }), false, "", ""},
		{"other words", answer(func(got) string { return "hello" }), false, "", ""},
		{"no echo", answer(func(got) string { return "hello" }), true, wrongAnswer, `is answered by "hello"`},
		{"echo", answer(func(c got) string { return c.Content }), true, "", ""},
		{"silence is no text", answer(func(got) string { return "" }), true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(c.server(t))
			cfg.Rate, cfg.Duration, cfg.Echo = 50, 200*time.Millisecond, c.echo
			r := runLoad(t, cfg)
			if c.kind == "" {
				if r.Failed != 0 || r.Accepted != 10 {
					t.Errorf("%d failed: %+v", r.Failed, r.Failures)
				}
				return
			}
			if len(r.Failures) != 1 || r.Failures[0].Kind != c.kind || r.Failures[0].Count != 10 || r.Failed != 10 || r.Accepted != 0 || r.Messages != 10 {
				t.Fatalf("got %+v, want 10 of %q", r.Failures, c.kind)
			}
			if d := r.Failures[0].Details; len(d) == 0 || len(d) > maxDetails || !strings.Contains(d[0], c.detail) {
				t.Errorf("details %q, want %q", d, c.detail)
			}
		})
	}
}

func TestFailed(t *testing.T) {
	dial := func(err error) error { return fmt.Errorf("send: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for _, c := range []struct {
		err  error
		want sendOutcome
	}{
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), sendOutcome{failure: refused, detail: "connect: connection refused"}},
		{dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), sendOutcome{failure: noConnection, detail: "connect: no route to host"}},
		{dial(&net.DNSError{Err: "no such host", Name: "gateway.test", IsNotFound: true}), sendOutcome{failure: noConnection, detail: "lookup gateway.test: no such host"}},
		{dial(os.NewSyscallError("socket", syscall.EMFILE)), sendOutcome{failure: noConnection, detail: "socket: too many open files"}},
		{dial(os.ErrDeadlineExceeded), sendOutcome{failure: timeout, detail: noAnswer}},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, sendOutcome{failure: broken, detail: "read: connection reset by peer"}},
		{context.DeadlineExceeded, sendOutcome{failure: timeout, detail: noAnswer}},
		{errors.New("malformed HTTP response"), sendOutcome{failure: broken, detail: "malformed HTTP response"}},
	} {
		if got := outcomeOf(c.err); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}
