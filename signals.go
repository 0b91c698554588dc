package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"wxgate/internal/service"
)

// begin begins a process that serves: it returns its Env, a context that ends when the process is to stop, and what is to
// be called at its end.
func begin(ctx context.Context, flags service.LogFlags) (context.Context, service.Env, func()) {
	signal.Ignore(syscall.SIGPIPE) // who reads the log may go away: no answer depends on it
	ignoreFileSize()
	env, flush := flags.NewEnv(os.Stderr)
	env.Registerer.MustRegister(newVersionMetric())
	ctx, stop := handleHangups(ctx, env.Log, term.IsTerminal(int(os.Stderr.Fd())))
	return ctx, env, func() { stop(); flush() }
}

// handleHangups says what SIGHUP does. On a terminal, which was closed, it stops the process in order. Elsewhere it asks
// for files to be loaded again, which happens by itself.
func handleHangups(ctx context.Context, log *slog.Logger, onTerminal bool) (context.Context, func()) {
	switch {
	case signal.Ignored(syscall.SIGHUP): // nohup
		return ctx, func() {}
	case onTerminal:
		return signal.NotifyContext(ctx, syscall.SIGHUP)
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			log.Info("SIGHUP is ignored: files are loaded again by themselves when they change; SIGTERM stops the process")
		}
	}()
	return ctx, func() { signal.Stop(hangups); close(hangups) }
}
