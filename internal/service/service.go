// Package service is what every wxgate process does the same way: settings, logs, metrics, health, HTTP and gRPC
// servers, gRPC clients, starting and stopping. It knows nothing of WeChat. Nothing in it is global: what a process
// shares is in its Env.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Env is what the services of one process share.
type Env struct {
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	Ready      *Ready
	Guard      *Guard // nil: everybody who reaches a gRPC or internal address may ask
}

// NewEnv returns the Env of a process that logs to log.
func NewEnv(log *slog.Logger) Env {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return Env{Log: log, Registerer: registry, Gatherer: registry, Ready: &Ready{}}
}

// For returns the Env of one service of the process: its name is in every log line and metric.
func (e Env) For(name string) Env {
	e.Log = e.Log.With("service", name)
	e.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"service": name}, e.Registerer)
	return e
}

// Server is a service whose listeners are bound.
type Server interface {
	// Serve serves until ctx ends, then finishes what is in flight and returns nil. Another end is an error.
	Serve(ctx context.Context) error
}

// Run serves all servers until ctx ends or one of them fails, and stops them in the order given, in StopTime: put those
// that call others first, and stores last. It returns what failed.
func Run(ctx context.Context, ready *Ready, servers ...Server) error {
	deadline := &stopDeadline{}
	base := context.WithValue(context.WithoutCancel(ctx), stopDeadlineKey{}, deadline)
	failed := make(chan struct{}, len(servers))
	all := make([]*running, len(servers))
	for i, s := range servers {
		all[i] = start(base, s, failed)
	}
	ready.set(serving)
	select {
	case <-ctx.Done():
	case <-failed:
	}
	ready.set(draining)
	deadline.begin()
	var errs []error
	for _, r := range all {
		r.stop()
		errs = append(errs, r.wait(time.Until(*deadline.at.Load())+overdue))
	}
	return errors.Join(errs...)
}

// running is a server that serves.
type running struct {
	server Server
	stop   context.CancelFunc
	done   chan error
}

// start has a server serve; failed gets one when it has ended.
func start(ctx context.Context, s Server, failed chan<- struct{}) *running {
	own, stop := context.WithCancel(ctx)
	r := &running{s, stop, make(chan error, 1)}
	go func() {
		err := s.Serve(own)
		if err == nil && own.Err() == nil {
			err = errors.New("a server ended by itself")
		}
		r.done <- err
		failed <- struct{}{}
	}()
	return r
}

// wait returns why the server ended; an error too if it does not end within limit, or within overdue if that is longer.
func (r *running) wait(limit time.Duration) error {
	timer := time.NewTimer(max(limit, overdue))
	defer timer.Stop()
	select {
	case err := <-r.done:
		return err
	case <-timer.C:
		return fmt.Errorf("%T did not stop in the %s that a process has for it", r.server, StopTime)
	}
}

// listening logs that a server begins; guarded tells whether somebody is asked who they are. Where nobody is, the
// address should be in reach of this machine alone.
func listening(log *slog.Logger, flag string, addr net.Addr, guarded bool) {
	log.Info("listening", "flag", flag, "addr", addr.String())
	if !guarded && !isLoopback(addr) {
		log.Warn("everybody who reaches this address may ask; give --internal-key, or --tls-cert, --tls-key and --tls-ca, or bind 127.0.0.1",
			"flag", flag, "addr", addr.String())
	}
}

// Listen binds a TCP address, ":0" for any free port; flag is the setting's name, for the error.
func Listen(flag, addr string) (net.Listener, error) {
	lis, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--%s: %s is taken by another process; give another address", flag, addr)
	case err != nil:
		return nil, fmt.Errorf("--%s: cannot listen on %q: %w", flag, addr, err)
	}
	return lis, nil
}
