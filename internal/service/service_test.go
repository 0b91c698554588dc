package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv returns an Env and what is logged through it, debugging lines too.
func testEnv() (Env, *logBuffer) {
	log := &logBuffer{}
	return NewEnv(log.logger()), log
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines returns the lines with a message, but for those of health checks: DialOwn makes one by itself.
func (l *logBuffer) lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("not JSON: %v\n%s", err, text)
		}
		if line["msg"] == msg && !strings.HasPrefix(fmt.Sprint(line["method"]), openRPC) {
			found = append(found, line)
		}
	}
	return found
}

// line returns the only line with a message.
func (l *logBuffer) line(t *testing.T, msg string) map[string]any {
	t.Helper()
	lines := l.lines(t, msg)
	if len(lines) != 1 {
		t.Fatalf("%d lines with %q, want 1:\n%s", len(lines), msg, l)
	}
	return lines[0]
}

// serverFunc is a Server.
type serverFunc func(ctx context.Context) error

func (f serverFunc) Serve(ctx context.Context) error { return f(ctx) }

// statusOf returns what /readyz says.
func statusOf(r *Ready) string {
	w := httptest.NewRecorder()
	r.ServeHTTP(w, nil)
	var report struct{ Status string }
	_ = json.Unmarshal(w.Body.Bytes(), &report)
	return report.Status
}

// TestRunStops: the servers stop one after the other, each drained before the next one is told.
func TestRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ready := &Ready{}
		var mu sync.Mutex
		var got []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, time.Since(start).String()+" "+what+" "+statusOf(ready))
		}
		draining := func(name string) Server {
			return serverFunc(func(ctx context.Context) error {
				<-ctx.Done()
				note(name + " stops")
				time.Sleep(time.Second)
				note(name + " stopped")
				return nil
			})
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, func() { note("signal"); stop() })
		if err := Run(ctx, ready, draining("gateway"), draining("replier")); err != nil {
			t.Errorf("Run: %v", err)
		}
		want := []string{
			"1m0s signal ready",
			"1m0s gateway stops draining", "1m1s gateway stopped draining",
			"1m1s replier stops draining", "1m2s replier stopped draining",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// TestFindingsProcessHasOneDeadline: servers that take their whole Grace share the time of the process, one that never
// ends costs the others little, and the last one is told in any case.
func TestFindingsProcessHasOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := serverFunc(func(ctx context.Context) error {
			<-ctx.Done()
			inFlight, cancel := DrainContext(ctx)
			defer cancel()
			<-inFlight.Done()
			return nil
		})
		deaf := serverFunc(func(context.Context) error { <-release; return nil })
		var closed time.Duration
		ctx, stop := context.WithCancel(t.Context())
		stop()
		began := time.Now()
		store := serverFunc(func(ctx context.Context) error { <-ctx.Done(); closed = time.Since(began); return nil })
		err := Run(ctx, &Ready{}, stuck, stuck, stuck, deaf, store)
		took := time.Since(began)
		if want := StopTime + overdue; took != want || closed != want {
			t.Errorf("stopped after %s, the store after %s; want %s", took, closed, want)
		}
		if err == nil || err.Error() != "service.serverFunc did not stop within the 7s that a process has for stopping" {
			t.Errorf("got %v", err)
		}
		close(release)
		synctest.Wait()
	})
}

// TestRunFails: one server that ends stops all, and the error says so.
func TestRunFails(t *testing.T) {
	errBoom, errDrain := errors.New("boom"), errors.New("drain")
	ends := func(err error) Server { return serverFunc(func(context.Context) error { return err }) }
	waits := func(err error) Server {
		return serverFunc(func(ctx context.Context) error { <-ctx.Done(); return err })
	}
	for _, tt := range []struct {
		name    string
		servers []Server
		want    string
	}{
		{"first", []Server{ends(errBoom), waits(nil)}, "boom"},
		{"last", []Server{waits(nil), waits(nil), ends(errBoom)}, "boom"},
		{"ends by itself", []Server{waits(nil), ends(nil)}, "a server stopped without being asked to"},
		{"fails to stop, too", []Server{waits(errDrain), ends(errBoom)}, "drain\nboom"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ready := &Ready{}
			err := Run(t.Context(), ready, tt.servers...)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if got := statusOf(ready); got != "draining" {
				t.Errorf("status %s, want draining", got)
			}
		})
	}
	if err := Run(t.Context(), &Ready{}, ends(errBoom)); !errors.Is(err, errBoom) {
		t.Errorf("%v does not wrap the server's error", err)
	}
}

// TestRunKeepsValues: servers get the values of Run's context, and not its end.
func TestRunKeepsValues(t *testing.T) {
	type key struct{}
	ctx, stop := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	stop()
	var got any
	err := Run(ctx, &Ready{}, serverFunc(func(ctx context.Context) error {
		got = ctx.Value(key{})
		<-ctx.Done()
		return nil
	}))
	if got != "kept" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestListen(t *testing.T) {
	lis, err := Listen("listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	addr := lis.Addr().String()
	if lis.Addr().(*net.TCPAddr).Port == 0 {
		t.Errorf("bound %s, want a port", addr)
	}
	for _, tt := range []struct{ addr, want string }{
		{addr, "listen: " + addr + " is in use by another process; choose another address"},
		{"8000", `listen: cannot listen on "8000": listen tcp: address 8000: missing port in address`},
		{"127.0.0.1:http-x", `listen: cannot listen on "127.0.0.1:http-x": `},
	} {
		if other, err := Listen("listen", tt.addr); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("Listen(%q) = %v, %v; want error %s", tt.addr, other, err, tt.want)
		}
	}
}

// TestEnvFor: a service's name is in its log lines, and two services share a registry.
func TestEnvFor(t *testing.T) {
	env, log := testEnv()
	for _, name := range []string{"gateway", "replier"} {
		one := env.ForService(name)
		one.Log.Info("hello " + name)
		if _, err := ListenGRPC(one, name+"-listen", "no address"); err == nil {
			t.Error("no error for an address that is none")
		}
		g, err := ListenGRPC(one, name+"-listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if got := log.line(t, "hello "+name)["service"]; got != name {
			t.Errorf("service %v, want %s", got, name)
		}
	}
}
