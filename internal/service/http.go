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

// HTTP is an HTTP server whose address is bound.
type HTTP struct {
	log     *slog.Logger
	flag    string
	server  *http.Server
	lis     net.Listener
	guarded bool           // callers must authenticate, or the address is public on purpose
	hooks   sync.WaitGroup // the functions of OnShutdown
}

// ListenHTTP binds addr, the value of the setting flag, for a public handler.
func ListenHTTP(env Env, flag, addr string, handler http.Handler) (*HTTP, error) {
	lis, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	return NewHTTP(env, flag, lis, handler), nil
}

// ListenInternal binds addr, the value of the setting flag, as an internal address. It serves InternalMux and routes, which may
// be nil. If env has a Guard, routes need a key and all paths need its TLS. Each request of a route is a line in the log.
// Metrics and health need no key: they reveal no secret, and with a key a monitor could call everything else too. No path
// can be used by a stranger's page in a browser.
func ListenInternal(env Env, flag, addr string, routes http.Handler) (*HTTP, error) {
	mux := InternalMux(env)
	if routes != nil {
		mux.Handle("/", LogRequests(env.Log, true, env.Guard.authHTTP(routes)))
	}
	lis, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	// Beyond loopback, a name of a private DNS cannot be distinguished from a stranger's. With a key or TLS no page gets in: a
	// browser sends neither by itself.
	ownHosts := env.Guard == nil && isLoopback(lis.Addr())
	h := NewHTTP(env, flag, lis, refusePages(env.Log, ownHosts, mux))
	h.guarded = env.Guard != nil
	if h.guarded && env.Guard.identity != nil {
		h.lis = tls.NewListener(h.lis, env.Guard.identity.serverConfig("http/1.1"))
		h.server.ErrorLog = slog.NewLogLogger(serverLog{env.Log.Handler()}, slog.LevelWarn) // it reports clients without a certificate
	}
	return h, nil
}

// idleTimeout is longer than front ends keep an idle connection: Caddy 2 minutes, Traefik 90 seconds, Google's load balancer
// 10 minutes. The front end must close first: a callback that it sends while the server closes fails and is not sent again.
const idleTimeout = 620 * time.Second

// NewHTTP returns a server on a bound address. It cuts off slow and oversized requests.
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

// Addr returns the bound address.
func (h *HTTP) Addr() net.Addr { return h.lis.Addr() }

// OnShutdown registers f, which is called when the server begins to stop. f ends requests that would not end by themselves,
// such as streams of events. Serve returns after f, unless the time of DrainContext is over before.
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

// Close releases the address of a server that never served.
func (h *HTTP) Close() { _ = h.lis.Close() }

// Serve serves until ctx ends. Requests in flight then have the time of DrainContext.
func (h *HTTP) Serve(ctx context.Context) error {
	logListening(h.log, h.flag, h.lis.Addr(), h.guarded)
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(h.lis) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP on %s: %w", h.lis.Addr(), err)
	case <-ctx.Done():
	}
	inFlight, cancel := DrainContext(ctx)
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
