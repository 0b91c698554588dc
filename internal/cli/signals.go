package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

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

// endTime is how long a process takes to its end once it is to stop: its servers have service.StopTime, and the rest is for
// the store and the last of the log. "docker stop" waits 10 s.
const endTime = service.StopTime + 2*time.Second

// runInTime runs a command. If it does not end within endTime after ctx, that is an error: a disk that hangs, for example,
// must not keep the process.
func runInTime(ctx context.Context, command func() error) error {
	done, late := make(chan error, 1), make(chan struct{})
	go func() { done <- command() }()
	defer context.AfterFunc(ctx, func() { time.Sleep(endTime); close(late) })()
	select {
	case err := <-done:
		return err
	case <-late:
		return fmt.Errorf("the process did not end within %s after the signal", endTime)
	}
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
