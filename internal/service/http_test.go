package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHandleID: a caller's id is kept where the caller is trusted and the id is a plain one.
func TestHandleID(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted bool
		id      string
		kept    bool
	}{
		{"trusted", true, "id-1", true},
		{"trusted, none", true, "", false},
		{"trusted, odd", true, `id" injected="`, false},
		{"trusted, long", true, strings.Repeat("a", 65), false},
		{"untrusted", false, "id-1", false},
		{"untrusted, none", false, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logBuffer{}
			seen := ""
			h := LogRequests(log.logger(), tt.trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = RequestID(r.Context()) }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if tt.id != "" {
				r.Header.Set(RequestIDHeader, tt.id)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !validID(seen) || (seen == tt.id) != tt.kept {
				t.Errorf("id %q for %q, kept should be %t", seen, tt.id, tt.kept)
			}
			if sent, logged := w.Header().Get(RequestIDHeader), log.line(t, "http")["request_id"]; sent != seen || logged != seen {
				t.Errorf("handler got %q, caller %q, log %q", seen, sent, logged)
			}
		})
	}
}

// TestHandleLine: one line per request, its level by the status; no query string.
func TestHandleLine(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		level   string
	}{
		{"writes nothing", func(http.ResponseWriter, *http.Request) {}, 200, "INFO"},
		{"writes", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.WriteHeader(http.StatusTeapot)
		}, 200, "INFO"},
		{"302", status(302), 302, "INFO"},
		{"400", status(400), 400, "WARN"},
		{"404", status(404), 404, "WARN"},
		{"500", status(500), 500, "ERROR"},
		{"502", status(502), 502, "ERROR"},
		{"fails", func(_ http.ResponseWriter, r *http.Request) { LineOf(r.Context()).Fail(errors.New("cause")) }, 200, "ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logBuffer{}
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/wechat/shop?signature=s3cret", nil)
			LogRequests(log.logger(), false, tt.handler).ServeHTTP(w, r)
			got := log.line(t, "http")
			if w.Code != tt.status || got["status"] != float64(tt.status) || got["level"] != tt.level ||
				got["method"] != "POST" || got["path"] != "/wechat/shop" || got["ms"] == nil {
				t.Errorf("status %d, logged %v", w.Code, got)
			}
			if strings.Contains(log.String(), "s3cret") {
				t.Errorf("the query string is in the log: %s", log)
			}
		})
	}
}

// TestHandlePanic: a panic becomes a 500 without details, and one line without what somebody panicked with.
func TestHandlePanic(t *testing.T) {
	const text = "the user's text"
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		body    string
		logged  string
	}{
		{"text", func(http.ResponseWriter, *http.Request) { panic(text) }, 500, "internal error\n", "panic: a string"},
		{"error", func(http.ResponseWriter, *http.Request) { panic(errors.New(text)) }, 500, "internal error\n", "panic: a *errors.errorString"},
		{"runtime", func(_ http.ResponseWriter, r *http.Request) { _ = r.Header["X"][0] }, 500, "internal error\n", "panic: runtime error: index out of range"},
		{"after an answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted); panic(text) }, 202, "", "panic: a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logBuffer{}
			handler := func(w http.ResponseWriter, r *http.Request) {
				LineOf(r.Context()).Add(slog.String("account", "shop"))
				tt.handler(w, r)
			}
			w := httptest.NewRecorder()
			LogRequests(log.logger(), false, http.HandlerFunc(handler)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("answered %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			got := log.line(t, "http")
			cause, _ := got["error"].(string)
			if !strings.HasPrefix(cause, tt.logged) || !strings.Contains(cause, "http_test.go:") ||
				got["level"] != "ERROR" || got["status"] != float64(tt.status) || got["account"] != "shop" {
				t.Errorf("logged %v", got)
			}
			if strings.Contains(log.String(), text) {
				t.Errorf("the text is in the log: %s", log)
			}
		})
	}
}

// serve serves a server of handler; stop ends it and returns the error of Serve.
func serve(t *testing.T, s Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-done }
}

func listenHTTP(t *testing.T, handler http.Handler) (*HTTP, *logBuffer) {
	t.Helper()
	env, log := testEnv()
	h, err := ListenHTTP(env, "listen", "127.0.0.1:0", handler)
	if err != nil {
		t.Fatal(err)
	}
	return h, log
}

// get returns the body of an answer, over a connection of its own.
func get(t *testing.T, url string) (status int, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// TestHTTPDrains: what is in flight at the stop gets its answer, what comes later no connection.
func TestHTTPDrains(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h, log := listenHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "answered")
	}))
	stop := serve(t, h)
	answered, stopped := make(chan error, 1), make(chan error, 1)
	go func() {
		status, body, err := get(t, "http://"+h.Addr().String())
		if err == nil && (status != 200 || body != "answered") {
			err = errors.New(body)
		}
		answered <- err
	}()
	<-entered
	go func() { stopped <- stop() }()
	for { // until the server takes no more
		conn, err := net.Dial("tcp", h.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got := log.line(t, "listening"); got["addr"] != h.Addr().String() || got["flag"] != "listen" {
		t.Errorf("logged %v", got)
	}
}

// TestHTTPGrace: a request that never ends holds the stop no longer than Grace.
func TestHTTPGrace(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	h, _ := listenHTTP(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	stop := serve(t, h)
	failed := make(chan error, 1)
	go func() {
		_, _, err := get(t, "http://"+h.Addr().String())
		failed <- err
	}()
	<-entered
	start := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(start); took > Grace+3*time.Second {
		t.Errorf("stopped after %v, want at most %v", took, Grace)
	}
	if err := <-failed; err == nil {
		t.Error("the request that never ended got an answer")
	}
}

// TestFindingsShutdownHookIsAwaited: what OnShutdown calls, such as writing a file, is done when the server has stopped.
func TestFindingsShutdownHookIsAwaited(t *testing.T) {
	h, _ := listenHTTP(t, http.NotFoundHandler())
	var written atomic.Bool
	h.OnShutdown(func() {
		time.Sleep(50 * time.Millisecond) // a slow disk
		written.Store(true)
	})
	if err := serve(t, h)(); err != nil {
		t.Fatal(err)
	}
	if !written.Load() {
		t.Error("Serve returned before the function of OnShutdown did")
	}
}

// TestHTTPStoppedEarly: a server that is told to stop before it serves stops, and gives its address back.
func TestHTTPStoppedEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		h, _ := listenHTTP(t, http.NotFoundHandler())
		if err := h.Serve(ctx); err != nil {
			t.Fatalf("Serve: %v", err)
		}
		lis, err := Listen("listen", h.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = lis.Close()
	}
}

func TestHTTPFails(t *testing.T) {
	h, _ := listenHTTP(t, http.NotFoundHandler())
	h.Close()
	err := h.Serve(t.Context())
	if want := "serve HTTP on " + h.Addr().String() + ": "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// TestHTTPSlowHeader: a client that does not finish its header is dropped.
func TestHTTPSlowHeader(t *testing.T) {
	h, _ := listenHTTP(t, http.NotFoundHandler())
	if h.server.ReadHeaderTimeout != 5*time.Second || h.server.ReadTimeout <= 0 || h.server.WriteTimeout <= 0 || h.server.IdleTimeout <= 0 {
		t.Errorf("a timeout is missing: %+v", h.server)
	}
	h.server.ReadHeaderTimeout = 50 * time.Millisecond
	stop := serve(t, h)
	conn, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow:"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil || len(answer) > 0 && !strings.Contains(string(answer), " 408 ") {
		t.Errorf("not dropped: %q, %v", answer, err)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestHTTPLargeHeader(t *testing.T) {
	h, _ := listenHTTP(t, http.NotFoundHandler())
	stop := serve(t, h)
	status, _, err := get(t, "http://"+h.Addr().String()+"/?"+strings.Repeat("a", 32<<10))
	if err != nil || status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, %v; want 431", status, err)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}
