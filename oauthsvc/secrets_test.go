package oauthsvc

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
)

// TestNothingLeaks calls a WeChat that throws everything it was told back at us, in every way that ends in an error
// message of some library, and reads all that callers and the log get to see.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	echo := func(r *http.Request) string { return r.URL.String() + " " + r.URL.RawQuery }
	raw := func(format string) http.HandlerFunc { // format is an HTTP answer with a place for the query
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = fmt.Fprintf(conn, format, r.URL.RawQuery)
			_ = conn.Close()
		}
	}
	var current atomic.Pointer[http.HandlerFunc]
	f := start(t, func(w http.ResponseWriter, r *http.Request) { (*current.Load())(w, r) })
	f.server.api.Timeout = 50 * time.Millisecond
	for name, wechat := range map[string]http.HandlerFunc{
		"success": func(w http.ResponseWriter, r *http.Request) {
			newPlatform().ServeHTTP(w, r)
		},
		"refusal": func(w http.ResponseWriter, r *http.Request) {
			says(fmt.Sprintf(`{"errcode":40029,"errmsg":%q}`, echo(r)))(w, r)
		},
		"unknown refusal": func(w http.ResponseWriter, r *http.Request) {
			says(fmt.Sprintf(`{"errcode":7,"errmsg":%q}`, echo(r)))(w, r)
		},
		"HTML":   func(w http.ResponseWriter, r *http.Request) { says("<html>"+echo(r))(w, r) },
		"status": func(w http.ResponseWriter, r *http.Request) { http.Error(w, echo(r), http.StatusForbidden) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?"+echo(r), http.StatusFound)
		},
		"odd redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://%zz/"+echo(r))
			w.WriteHeader(http.StatusFound)
		},
		"no HTTP":           raw("%s\r\n\r\n"),
		"odd status":        raw("HTTP/1.1 abc%s\r\n\r\n"),
		"odd header":        raw("HTTP/1.1 200 OK\r\n%s\r\n\r\n"),
		"odd length":        raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n"),
		"odd encoding":      raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n"),
		"odd chunks":        raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n"),
		"hangs up":          func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"wrong type":        func(w http.ResponseWriter, r *http.Request) { says(fmt.Sprintf(`{"openid":[%q]}`, echo(r)))(w, r) },
		"hangs":             hangs,
		"half of an answer": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"access_token":"`+echo(r)) },
	} {
		t.Run(name, func(t *testing.T) {
			current.Store(&wechat)
			f.log.Reset()
			if err := f.server.codes.forget(t.Context(), f.account(t), testCode); err != nil {
				t.Fatal(err)
			}
			if err := f.server.tokens.forget(t.Context(), f.account(t), "ticket"); err != nil {
				t.Fatal(err)
			}
			expectNoSecrets(t, f)
		})
	}
	t.Run("nobody listens", func(t *testing.T) { expectNoSecrets(t, startAt(t, "http://127.0.0.1:1")) })
	t.Run("no such host", func(t *testing.T) {
		f := startAt(t, "http://wechat.invalid")
		f.server.api.HTTP.Transport.(*http.Transport).DialContext = func(_ context.Context, network, _ string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: "wechat.invalid", IsNotFound: true}}
		}
		expectNoSecrets(t, f)
	})
	t.Run("unknown certificate", func(t *testing.T) {
		api := httptest.NewUnstartedServer(says("{}"))
		api.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // our refusal of the certificate
		api.StartTLS()
		defer api.Close()
		f := startAt(t, api.URL)
		expectNoSecrets(t, f)
		if !strings.Contains(f.log.String(), "certificate") {
			t.Errorf("the log does not say why:\n%s", f.log)
		}
	})
}

// expectNoSecrets makes all calls, and looks for their contents in errors and log.
func expectNoSecrets(t *testing.T, f *fixture) {
	t.Helper()
	f.server.api.Pause = never
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var all strings.Builder
	for range 2 { // the second exchange is answered from what is kept
		for _, c := range allCalls {
			f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
			if c == tokenCall {
				f.keepToken(t, accountCredential{})
			}
			if err := f.do(ctx, c); err != nil {
				all.WriteString(err.Error() + prototext.Format(status.Convert(err).Proto()) + "\n")
			}
		}
	}
	all.WriteString(f.log.String())
	for _, secret := range []string{testSecret, testCode, testState, testToken, testFresh, testOpenID, testAccountToken, testTicket, testText} {
		if i := strings.Index(all.String(), secret); i >= 0 {
			t.Errorf("%q shows up: …%s…", secret, all.String()[max(0, i-200):i+len(secret)])
		}
	}
	if n := strings.Count(f.log.String(), `"msg":"rpc"`); n != 2*len(allCalls) {
		t.Errorf("%d log lines; want one for each of %d calls", n, 2*len(allCalls))
	}
}
