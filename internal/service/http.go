package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// HTTP is a bound HTTP server.
type HTTP struct {
	log     *slog.Logger
	flag    string
	server  *http.Server
	lis     net.Listener
	guarded bool           // or for the public
	hooks   sync.WaitGroup // the functions of OnShutdown
}

// ListenHTTP binds addr, the setting named flag, for handler, which is for everybody.
func ListenHTTP(env Env, flag, addr string, handler http.Handler) (*HTTP, error) {
	lis, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	return NewHTTP(env, flag, lis, handler), nil
}

// ListenInternal binds addr, the setting named flag, for what every process has on its internal address (see
// InternalMux) and for routes, which may be nil. Where there is a Guard, routes want a key, and all of it wants its TLS;
// each call of a route is a line in the log. Metrics and health want no key: they tell no secret, and a monitor that had
// one could do all else with it. No path serves a stranger's page in a browser.
func ListenInternal(env Env, flag, addr string, routes http.Handler) (*HTTP, error) {
	mux := InternalMux(env)
	if routes != nil {
		mux.Handle("/", Handle(env.Log, true, env.Guard.demand(routes)))
	}
	lis, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	// Beyond loopback, names of a private DNS are not told from a stranger's. With a key or TLS no page gets in: a browser
	// sends neither by itself.
	ownHosts := env.Guard == nil && isLoopback(lis.Addr())
	h := NewHTTP(env, flag, lis, refusePages(env.Log, ownHosts, mux))
	h.guarded = env.Guard != nil
	if h.guarded && env.Guard.identity != nil {
		h.lis = tls.NewListener(h.lis, env.Guard.identity.server("http/1.1"))
		h.server.ErrorLog = slog.NewLogLogger(serverLog{env.Log.Handler()}, slog.LevelWarn) // it tells who has no certificate
	}
	return h, nil
}

// idleTimeout is longer than fronts keep an idle connection: Caddy 2 minutes, Traefik 90 seconds, Google's load balancer
// 10 minutes. Who closes first must be the front: a callback that it sends while we close fails, and is not sent again.
const idleTimeout = 620 * time.Second

// NewHTTP returns a server on an address that is bound. Slow and oversized requests are cut off.
func NewHTTP(env Env, flag string, lis net.Listener, handler http.Handler) *HTTP {
	return &HTTP{log: env.Log, flag: flag, lis: lis, guarded: true, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(serverLog{env.Log.Handler()}, slog.LevelDebug),
	}}
}

// Addr returns the address that is bound.
func (h *HTTP) Addr() net.Addr { return h.lis.Addr() }

// OnShutdown has f called when the server begins to stop: it ends requests that would not end by themselves, such as streams of
// events. Serve returns after f, unless the time of Drain is over before.
func (h *HTTP) OnShutdown(f func()) {
	h.hooks.Add(1)
	h.server.RegisterOnShutdown(func() {
		defer h.hooks.Done()
		f()
	})
}

// awaitHooks waits for the functions of OnShutdown while ctx lasts.
func (h *HTTP) awaitHooks(ctx context.Context) {
	done := make(chan struct{})
	go func() { defer close(done); h.hooks.Wait() }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close gives the address back; for a server that never served.
func (h *HTTP) Close() { _ = h.lis.Close() }

// Serve serves until ctx ends; requests in flight then have the time of Drain.
func (h *HTTP) Serve(ctx context.Context) error {
	listening(h.log, h.flag, h.lis.Addr(), h.guarded)
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(h.lis) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP on %s: %w", h.lis.Addr(), err)
	case <-ctx.Done():
	}
	inFlight, cancel := Drain(ctx)
	defer cancel()
	if err := h.server.Shutdown(inFlight); err != nil {
		_ = h.server.Close()
	}
	h.awaitHooks(inFlight)
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// RequestIDHeader carries a request's id over HTTP, and in lower case as gRPC metadata.
const RequestIDHeader = "X-Request-Id"

// Handle wraps next: a request id, one log line, and a 500 without details where next panics. A caller's own
// request id is kept where trusted is true.
func Handle(log *slog.Logger, trusted bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := ""
		if trusted {
			id = r.Header.Get(RequestIDHeader)
		}
		ctx, line := withLine(r.Context(), id, peerName(r.TLS, r.RemoteAddr))
		out := &recorder{ResponseWriter: w}
		out.Header().Set(RequestIDHeader, line.id)
		defer func() {
			p := recover()
			switch {
			case Aborted(p): // on purpose: the caller gets no answer
				defer panic(p)
			case p != nil:
				line.Fail(PanicError(p))
				if out.status == 0 {
					http.Error(out, "internal error", http.StatusInternalServerError)
				}
			case out.status == 0:
				out.status = http.StatusOK // what net/http sends for a handler that wrote nothing
			}
			line.write(ctx, log, levelOfHTTP(out.status), "http",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", out.status),
				took(start))
		}()
		next.ServeHTTP(out, r.WithContext(ctx))
	})
}

// Aborted tells whether what a handler recovered is its order to leave the caller without an answer.
func Aborted(p any) bool {
	err, ok := p.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

func levelOfHTTP(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelError
	case status >= 400:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// recorder remembers the status of an answer; 0: none yet.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
