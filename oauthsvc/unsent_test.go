package oauthsvc

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/store"
	"wxgate/internal/testaddr"
)

// serveConns calls serve for each connection to a new listener, whose address it returns. serve has the connection closed.
func serveConns(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		_ = lis.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return lis.Addr().String()
}

// hearsOut reads all that comes on a connection, and says nothing.
func hearsOut(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// breaks resets a connection.
func breaks(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// quietTLS is a TLS server without a log: it would complain about the client.
func quietTLS(t *testing.T, handler http.Handler, http2 bool) *httptest.Server {
	t.Helper()
	api := httptest.NewUnstartedServer(handler)
	api.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	api.EnableHTTP2 = http2
	api.StartTLS()
	t.Cleanup(api.Close)
	return api
}

// twoHosts runs a service with two hosts, of which the second one works, and with the account's token.
func twoHosts(t *testing.T, first string) (f *fixture, second *platform) {
	t.Helper()
	second = newPlatform()
	api := httptest.NewServer(second)
	t.Cleanup(api.Close)
	f = startAt(t, first+","+api.URL)
	f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
	return f, second
}

// TestFindingsUnsentGoesToSecondHost: a message of which nothing was sent goes to the second host, whatever was wrong with
// the first one, and is not uncertain.
func TestFindingsUnsentGoesToSecondHost(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for connections that are not made")
	}
	t.Parallel()
	for name, first := range map[string]func(t *testing.T) string{
		"refuses connections":     func(t *testing.T) string { return "http://" + testaddr.Unused(t) },
		"refuses, TLS":            func(t *testing.T) string { return "https://" + testaddr.Unused(t) },
		"drops SYNs":              func(t *testing.T) string { return "http://" + blackHole(t) },
		"drops SYNs, TLS":         func(t *testing.T) string { return "https://" + blackHole(t) },
		"no such name":            func(*testing.T) string { return "https://api.wechat.invalid" },
		"unknown authority":       func(t *testing.T) string { return quietTLS(t, says(ok), false).URL },
		"never speaks TLS":        func(t *testing.T) string { return "https://" + serveConns(t, hearsOut) },
		"speaks HTTP without TLS": func(t *testing.T) string { return strings.Replace(plainHTTP(t), "http:", "https:", 1) },
		"hangs up at once, TLS":   func(t *testing.T) string { return "https://" + serveConns(t, func(net.Conn) {}) },
		"resets at once, TLS":     func(t *testing.T) string { return "https://" + serveConns(t, breaks) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, second := twoHosts(t, first(t))
			if err := f.sends(t.Context(), "one"); err != nil {
				t.Errorf("the message: %v; want it sent", err)
			}
			if err := f.checks(t.Context(), "one", time.Second); err != nil {
				t.Errorf("what became of it: %v; want that it was sent", err)
			}
			if err := f.do(t.Context(), sendCall); err != nil {
				t.Errorf("one without a name: %v", err)
			}
			second.expectCalls(t, sendCall, sendCall)
		})
	}
}

// plainHTTP is a server without TLS.
func plainHTTP(t *testing.T) string {
	api := httptest.NewServer(says(ok))
	t.Cleanup(api.Close)
	return api.URL
}

// TestFindingsSentIsNotSentAgain: a message that WeChat may have is uncertain, and the second host does not get it.
func TestFindingsSentIsNotSentAgain(t *testing.T) {
	t.Parallel()
	afterRequest := func(then func(net.Conn)) func(*testing.T) string {
		return func(t *testing.T) string {
			return "http://" + serveConns(t, func(conn net.Conn) {
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err == nil {
					_, err = io.Copy(io.Discard, req.Body)
				}
				if err == nil {
					then(conn)
				}
			})
		}
	}
	for name, first := range map[string]func(t *testing.T) string{
		"half an answer, then a reset": afterRequest(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n"+ok[:10])
			breaks(conn)
		}),
		"a reset":           afterRequest(breaks),
		"an end":            afterRequest(func(net.Conn) {}),
		"no answer in time": afterRequest(hearsOut),
		"HTTP 502": afterRequest(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		}),
		"hears nothing, says nothing": func(t *testing.T) string {
			return "http://" + serveConns(t, func(conn net.Conn) { <-t.Context().Done() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, second := twoHosts(t, first(t))
			f.server.api.Timeout = 500 * time.Millisecond
			if err := f.sends(t.Context(), "one"); !maybe(t, err) {
				t.Errorf("the message: %v; want maybe_sent", err)
			}
			if err := f.checks(t.Context(), "one", time.Second); !maybe(t, err) {
				t.Errorf("what became of it: %v; want maybe_sent", err)
			}
			second.expectCalls(t)
			f.server.api.Timeout = 3 * time.Second
			if err := f.sends(t.Context(), "two"); err != nil {
				t.Errorf("the next one: %v", err)
			}
			second.expectCalls(t, sendCall)
		})
	}
}

// TestFindingsDeadConnection: old connections to a host that is gone do not make a message uncertain.
func TestFindingsDeadConnection(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := quietTLS(t, newPlatform(), http2)
			f, second := twoHosts(t, first.URL)
			f.server.api.HTTP.Transport.(*http.Transport).TLSClientConfig = trusting(first)
			for range 3 {
				if err := f.do(t.Context(), sendCall); err != nil {
					t.Fatal(err)
				}
			}
			first.Config.SetKeepAlivesEnabled(false) // HTTP/2: GOAWAY
			first.Close()
			for range 3 {
				if err := f.do(t.Context(), sendCall); err != nil && !maybe(t, err) {
					t.Errorf("after the host's end: %v", err)
				}
			}
			if n := len(second.got(sendCall)); n < 2 { // the first one may meet a connection that is just being closed
				t.Errorf("the second host got %d messages, want at least 2 of 3", n)
			}
		})
	}
}

// trusting is the TLS configuration of a client that trusts a server.
func trusting(api *httptest.Server) *tls.Config {
	return api.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

// TestFindingsHTTP2: with HTTP/2 as with HTTP/1.1, a refused stream was not done, and a missing answer is uncertain.
func TestFindingsHTTP2(t *testing.T) {
	t.Parallel()
	var protocol string
	var mu sync.Mutex
	first := quietTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		protocol = r.Proto
		mu.Unlock()
		hangs(w, r)
	}), true)
	f, second := twoHosts(t, first.URL)
	f.server.api.HTTP.Transport.(*http.Transport).TLSClientConfig = trusting(first)
	f.server.api.Timeout = 500 * time.Millisecond
	if err := f.sends(t.Context(), "one"); !maybe(t, err) {
		t.Errorf("no answer: %v; want maybe_sent", err)
	}
	second.expectCalls(t)
	mu.Lock()
	defer mu.Unlock()
	if protocol != "HTTP/2.0" {
		t.Errorf("the host was asked by %q, want HTTP/2.0", protocol)
	}
}

// payloads returns the whole bodies that a call came with since the last time. The headers of a message that is not sent may
// arrive.
func (p *platform) payloads(c call) (all []string) {
	for _, a := range p.got(c) {
		if strings.HasSuffix(a.Payload, "\n") {
			all = append(all, a.Payload)
		}
	}
	return all
}

// TestFindingsDeathBeforeSending: a process that dies while it connects, or after WeChat's refusal, leaves no attempt of which
// nobody knows what became.
func TestFindingsDeathBeforeSending(t *testing.T) {
	t.Parallel()
	kept, _ := openStore(t, store.Config{Dir: t.TempDir()})
	dialed, silent := make(chan struct{}), make(chan struct{})
	var once sync.Once
	api := "https://" + serveConns(t, func(conn net.Conn) {
		once.Do(func() { close(dialed) })
		<-silent
	})
	t.Cleanup(func() { close(silent) })
	connecting := startWith(t, func(cfg *Config) { cfg.APIURL, cfg.Store = api, kept })
	connecting.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
	ctx, die := context.WithCancel(t.Context())
	dead := make(chan error, 1)
	go func() { dead <- connecting.sends(ctx, "one") }()
	<-dialed

	p := newPlatform()
	other := p.serveWith(t, func(cfg *Config) { cfg.Store = kept })
	expect(t, other.checks(t.Context(), "one", time.Second), codes.NotFound, "MESSAGE_UNKNOWN")
	die()
	if err := <-dead; err == nil {
		t.Error("the message was sent")
	}
	p.says(sendCall, refusedWith(-1), ok)
	expect(t, other.sends(t.Context(), "two"), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
	if err := other.checks(t.Context(), "two", sendOver+time.Second); maybe(t, err) {
		t.Errorf("a refusal: %v; want it noted", err)
	}
	p.expectCalls(t, sendCall)
}

// TestFindingsRefusedTokenIsNoDoubt: a process that dies after WeChat refused its token, and before it sends again, has not
// sent anything; and what another then hears is not sent later.
func TestFindingsRefusedTokenIsNoDoubt(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.says(sendCall, refusedWith(40001), ok)
	asked, goOn := make(chan struct{}), make(chan struct{})
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		if call(r.URL.Path) == tokenCall {
			close(asked)
			<-goOn
		}
		p.ServeHTTP(w, r)
	})
	p.says(tokenCall, accountToken("next"))
	f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
	sent := make(chan error, 1)
	go func() { sent <- f.sends(t.Context(), "one") }()
	<-asked
	expect(t, f.checks(t.Context(), "one", time.Second), codes.Unauthenticated, "TOKEN_INVALID")
	close(goOn)
	expect(t, <-sent, codes.Unauthenticated, "TOKEN_INVALID")
	if got := p.payloads(sendCall); len(got) != 1 {
		t.Errorf("WeChat got %q, want the first try alone", got)
	}

	p.says(sendCall, refusedWith(40001), ok)
	f2 := p.serve(t)
	f2.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
	if err := f2.sends(t.Context(), "two"); err != nil {
		t.Errorf("with the next token: %v", err)
	}
	if err := f2.checks(t.Context(), "two", time.Second); err != nil {
		t.Errorf("what became of it: %v", err)
	}
}
