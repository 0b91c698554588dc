package service

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// serveInternal serves an internal address until the test ends, with one route, and returns what asks it: "METHOD /path",
// for a Host, with headers.
func serveInternal(t *testing.T, env Env, addr string) func(call, host string, headers map[string]string) (int, string) {
	t.Helper()
	h, err := ListenInternal(env, "internal-listen", addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("route"))
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(h.Addr().String())
	return func(call, host string, headers map[string]string) (int, string) {
		t.Helper()
		method, path, _ := strings.Cut(call, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:"+port+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = strings.ReplaceAll(host, "PORT", port)
		for name, value := range headers {
			r.Header.Set(name, strings.ReplaceAll(value, "PORT", port))
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
}

var internalCalls = []string{"GET /v1/rules", "POST /v1/account/access-token", "GET /debug/callbacks", "GET /metrics", "GET /livez", "GET /readyz", "GET /", "HEAD /metrics"}

// TestFindingsRebindingIsRefused: a site whose name points here gets nothing, on any path, and what this machine and its
// neighbours send is served.
func TestFindingsRebindingIsRefused(t *testing.T) {
	var log bytes.Buffer
	env := NewEnv(slog.New(slog.NewJSONHandler(&log, nil)))
	ask := serveInternal(t, env, "127.0.0.1:0")
	for _, call := range internalCalls {
		for _, host := range []string{"evil.example:PORT", "evil.example", "127.0.0.1.evil.example:PORT"} {
			browser := map[string]string{"Origin": "http://" + host, "Sec-Fetch-Site": "same-origin", "Content-Type": "text/plain"}
			for _, headers := range []map[string]string{browser, nil} {
				if status, text := ask(call, host, headers); status != 403 || text != foreignHost+"\n" && !strings.HasPrefix(call, "HEAD") {
					t.Errorf("%s for %s: %d %q, want 403 that says what to do", call, host, status, text)
				}
			}
		}
		for _, host := range []string{"127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "gateway:PORT", "gateway"} {
			headers := map[string]string{"Origin": "http://" + host, "Sec-Fetch-Site": "same-origin"}
			if status, text := ask(call, host, headers); status == 403 {
				t.Errorf("%s for %s: %d %q", call, host, status, text)
			}
		}
	}
	if !strings.Contains(log.String(), `"status":403`) || !strings.Contains(log.String(), `"cause":"this host name could belong`) {
		t.Errorf("the log does not say why:\n%s", log.String())
	}
}

// TestFindingsCrossSiteIsRefused: another site's page gets nothing, by GET neither; with a key neither.
func TestFindingsCrossSiteIsRefused(t *testing.T) {
	keyed, _ := guarded(t, keyA)
	for name, env := range map[string]Env{"no key": NewEnv(slog.New(slog.DiscardHandler)), "a key": keyed} {
		t.Run(name, func(t *testing.T) {
			ask := serveInternal(t, env, "127.0.0.1:0")
			for _, call := range internalCalls {
				if status, _ := ask(call, "127.0.0.1:PORT", map[string]string{"Sec-Fetch-Site": "cross-site"}); status != 403 {
					t.Errorf("%s: %d, want 403", call, status)
				}
			}
			if status, _ := ask("POST /v1/x", "127.0.0.1:PORT", map[string]string{"Origin": "http://evil.example"}); status != 403 {
				t.Errorf("a write from another origin: %d, want 403", status)
			}
			if status, _ := ask("GET /metrics", "127.0.0.1:PORT", map[string]string{"Sec-Fetch-Site": "none"}); status != 200 {
				t.Errorf("an address that somebody typed: %d, want 200", status)
			}
		})
	}
}

// TestInternalNames: with a key, an internal address goes by any name: no page has the key.
func TestInternalNames(t *testing.T) {
	keyed, _ := guarded(t, keyA)
	if status, text := serveInternal(t, keyed, "127.0.0.1:0")("GET /metrics", "gateway.default.svc.cluster.local:PORT", nil); status != 200 {
		t.Errorf("%d %q, want 200", status, text)
	}
}
