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

// beginProcess prepares a process that serves. It returns a context that ends when the process is to stop, the Env, and a
// function to call at the end.
func beginProcess(ctx context.Context, flags service.LogFlags) (_ context.Context, _ service.Env, end func()) {
	signal.Ignore(syscall.SIGPIPE) // the reader of the log may end: no answer depends on it
	ignoreFileSize()
	env, flush := flags.NewEnv(os.Stderr)
	env.Registerer.MustRegister(newVersionMetric())
	ctx, stop := handleHangups(ctx, env.Log, term.IsTerminal(int(os.Stderr.Fd())))
	return ctx, env, func() { stop(); flush() }
}

// endTime is how long a process may take to end after the signal: its servers have service.StopTime, and the rest is for the
// store and the last log lines. "docker stop" waits 10 s.
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

// handleHangups handles SIGHUP. On a terminal it means that the terminal was closed, and stops the process in order.
// Elsewhere it asks for files to be reloaded, which happens without it, so it is only logged.
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
			log.Info("SIGHUP is ignored: files are reloaded automatically when they change; SIGTERM stops the process")
		}
	}()
	return ctx, func() { signal.Stop(hangups); close(hangups) }
}
