package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"wxgate/internal/service"
)

// TestFindingsRejectedValuesAreToldApart: what will never be taken is ErrRejected, and why; no later attempt is made.
func TestFindingsRejectedValuesAreToldApart(t *testing.T) {
	for name, cfg := range map[string]Config{"embedded": {}, "cluster": {URL: cluster(t)}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, cfg)
			table := mustTable(t, s)
			change := func(f func(*jetstream.StreamConfig)) {
				t.Helper()
				f(&table.bucket.stream)
				if _, err := s.js.UpdateStream(t.Context(), table.bucket.stream); err != nil {
					t.Fatal(err)
				}
			}
			put := func(key string, size int) error {
				_, err := table.PutIfRevision(t.Context(), key, bytes.Repeat([]byte{1}, size), 0, 0)
				return err
			}
			if err := put("k", s.MaxValue()+2<<10); !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "payload") {
				t.Errorf("larger than a message may be: %v; want ErrTooLarge, and the cause", err)
			}
			if err := put("k", s.MaxValue()); err != nil {
				t.Errorf("MaxValue bytes: %v; want them taken", err)
			}
			if err := put("no key", 1); !errors.Is(err, ErrRejected) {
				t.Errorf("what is no key: %v; want ErrRejected", err)
			}
			change(func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 })
			if err := put("k2", 2000); !errors.Is(err, ErrTooLarge) {
				t.Errorf("larger than the stream takes: %v; want ErrTooLarge", err)
			}
			change(func(c *jetstream.StreamConfig) { c.Sealed = true })
			if err := put("k2", 1); !errors.Is(err, ErrRejected) || errors.Is(err, ErrTooLarge) {
				t.Errorf("a sealed stream: %v; want ErrRejected", err)
			}
			if err := s.WriteError(); err != nil {
				t.Errorf("trouble: %v; want none: only the values were wrong", err)
			}
		})
	}
}

// TestFindingsBlockedWritesAreVisible: a store that cannot write says so once in the log, in metrics and in /readyz, until it can.
func TestFindingsBlockedWritesAreVisible(t *testing.T) {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true,
		StoreDir: t.TempDir(), JetStreamMaxStore: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(patience) {
		t.Fatal("no NATS server")
	}
	var logged bytes.Buffer
	e := service.NewEnv(slog.New(slog.NewTextHandler(&logged, nil)))
	s, err := Open(Config{Env: e, URL: ns.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	b := s.mustBucket(t, time.Hour)
	fill := func(key string) error { return b.Put(t.Context(), key, make([]byte, 64<<10)) }
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		err = errors.Join(err, fill(key))
	}
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "insufficient resources") {
		t.Fatalf("a full store: %v; want ErrUnavailable, and the cause", err)
	}
	until(t, func() bool { return s.WriteError() != nil })
	if report := readiness(e); !strings.Contains(report, `"problems":{"store":"cannot write: test: `) {
		t.Errorf("/readyz: %s; want that the store cannot write", report)
	}
	if metric(t, e, "wxgate_store_write_failures_total") == 0 || metric(t, e, "wxgate_store_write_blocked") != 1 {
		t.Error("no failed write was counted, or the store looks as if it could write")
	}
	stream, err := s.js.Stream(t.Context(), "KV_wxgate_test")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return s.WriteError() == nil })
	if report := readiness(e); strings.Contains(report, "cannot write") {
		t.Errorf("/readyz: %s; want no problem any more", report)
	}
	if err := fill("f"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	s.Close() // nobody logs any more
	for _, line := range []string{"the store cannot write", "the store can write again"} {
		if n := strings.Count(logged.String(), line); n != 1 {
			t.Errorf("the log has %q %d times; want once", line, n)
		}
	}
}

// TestFindingsLateCausesAreKept: the caller's time is over, and the error says why the write failed.
func TestFindingsLateCausesAreKept(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := classifyError(ctx, errors.New("no space")); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v; want the context's error, and the cause", err)
	}
}

func readiness(e service.Env) string {
	w := httptest.NewRecorder()
	e.Ready.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Body.String()
}

// metric returns the value of a metric without labels of its own.
func metric(t *testing.T, e service.Env, name string) float64 {
	t.Helper()
	families, err := e.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
