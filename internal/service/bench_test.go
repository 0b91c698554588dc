package service

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkHandle is a request that does nothing but say what it did: its id, its context and its line in the log.
func BenchmarkHandle(b *testing.B) {
	for name, level := range map[string]slog.Level{"logged": slog.LevelInfo, "below the level": slog.LevelError} {
		b.Run(name, func(b *testing.B) {
			log := slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level})) //nolint:sloglint // what it costs is measured
			h := LogRequests(log, false, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				LineOf(r.Context()).Add(slog.String("account", "default"), slog.String("user", "oABCDE…"), slog.String("msg_type", "text"),
					slog.Int64("msg_id", 1), slog.String("outcome", "replied"))
			}))
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

// BenchmarkInProcess is a call within the process, in a request: through the interceptors of both sides, and no more.
func BenchmarkInProcess(b *testing.B) {
	env, _ := testEnv()
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	g.RegisterService(testService(func(context.Context) error { return nil }), nil)
	conn, err := Connect(env, "replier", Target{Local: g})
	if err != nil {
		b.Fatal(err)
	}
	ctx, line := withLine(b.Context(), "", "127.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		if err := invoke(ctx, conn); err != nil {
			b.Fatal(err)
		}
		line.attrs = line.attrs[:own] // a request makes one call
	}
}
