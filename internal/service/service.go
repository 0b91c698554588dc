// Package service has the parts that all wxgate processes share: settings, logs, metrics, health, HTTP and gRPC servers,
// gRPC clients, starting and stopping. It knows nothing of WeChat. It has no global state: everything that the services of
// a process share is in its Env.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Env holds the objects that the services of one process share.
type Env struct {
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	Ready      *Ready
	Guard      *Guard // nil: gRPC and internal addresses accept calls without authentication
}

// NewEnv returns the Env of a process that logs to log.
func NewEnv(log *slog.Logger) Env {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return Env{Log: log, Registerer: registry, Gatherer: registry, Ready: &Ready{}}
}

// ForService returns the Env of one service of the process. Each log line and metric carries the service's name.
func (e Env) ForService(name string) Env {
	e.Log = e.Log.With("service", name)
	e.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"service": name}, e.Registerer)
	return e
}

// Server is a service whose listeners are bound.
type Server interface {
	// Serve serves until ctx ends, then finishes the requests in flight and returns nil. If it ends for another reason, it
	// returns an error.
	Serve(ctx context.Context) error
}

// Run serves all servers until ctx ends or one of them fails. It then stops them in the given order, within StopTime: put
// callers before the servers that they call, and stores last. It returns all errors.
func Run(ctx context.Context, ready *Ready, servers ...Server) error {
	deadline := &stopDeadline{}
	base := context.WithValue(context.WithoutCancel(ctx), stopDeadlineKey{}, deadline)
	failed := make(chan struct{}, len(servers))
	all := make([]*runningServer, len(servers))
	for i, s := range servers {
		all[i] = startServer(base, s, failed)
	}
	ready.setState(serving)
	select {
	case <-ctx.Done():
	case <-failed:
	}
	ready.setState(draining)
	deadline.startCountdown()
	var errs []error
	for _, r := range all {
		r.stop()
		errs = append(errs, r.waitStopped(time.Until(*deadline.at.Load())+overdue))
	}
	return errors.Join(errs...)
}

// runningServer is a server whose Serve was called.
type runningServer struct {
	server Server
	stop   context.CancelFunc
	done   chan error
}

// startServer runs a server in a goroutine of its own; failed receives a value when the server has ended.
func startServer(ctx context.Context, s Server, failed chan<- struct{}) *runningServer {
	own, stop := context.WithCancel(ctx)
	r := &runningServer{s, stop, make(chan error, 1)}
	go func() {
		err := s.Serve(own)
		if err == nil && own.Err() == nil {
			err = errors.New("a server stopped without being asked to")
		}
		r.done <- err
		failed <- struct{}{}
	}()
	return r
}

// waitStopped waits until the server has ended, and returns its error. The limit is at least overdue; if the server is still
// running after it, that is an error too.
func (r *runningServer) waitStopped(limit time.Duration) error {
	timer := time.NewTimer(max(limit, overdue))
	defer timer.Stop()
	select {
	case err := <-r.done:
		return err
	case <-timer.C:
		return fmt.Errorf("%T did not stop within the %s that a process has for stopping", r.server, StopTime)
	}
}

// logListening logs that a server listens. guarded says whether callers must authenticate; if not, and other machines can
// reach the address, it logs a warning.
func logListening(log *slog.Logger, flag string, addr net.Addr, guarded bool) {
	log.Info("listening", "flag", flag, "addr", addr.String())
	if !guarded && !isLoopback(addr) {
		log.Warn("this address accepts calls without authentication; set --internal-key, or --tls-cert, --tls-key and --tls-ca, or bind 127.0.0.1",
			"flag", flag, "addr", addr.String())
	}
}

// Listen binds a TCP address; port 0 means any free port. flag is the name of the setting's flag, such as "internal-listen".
func Listen(flag, addr string) (net.Listener, error) {
	setting := strings.ReplaceAll(flag, "-", " ")
	lis, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, BadSetting(setting, "%s is in use by another process; choose another address", addr)
	case err != nil:
		return nil, BadSetting(setting, "cannot listen on %q: %w", addr, err)
	}
	return lis, nil
}
