package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// syncInterval is how much a machine that loses its power may forget. A process that ends forgets nothing.
const syncInterval = time.Second

// format is the version of what a data directory holds.
const format = "1"

// embedded is a NATS server in this process, which listens nowhere. It can be started anew; connections reach the one that
// runs. It is safe for concurrent use.
type embedded struct {
	dir      string
	log      *serverLog
	patience time.Duration

	mu      sync.Mutex
	running *server.Server
	before  inventory // what was noted before the server started
}

// embed starts a NATS server in this process.
func (s *Store) embed(dir string) error {
	if dir == "" {
		removeAbandoned()
		var err error
		if s.memory, err = os.MkdirTemp("", temporary); err == nil {
			err = s.claim(s.memory)
		}
		if err != nil {
			return fmt.Errorf("without --data-dir the store needs a place for temporary files, TMPDIR or /tmp: %w", err)
		}
		dir = s.memory
	} else if err := s.claim(dir); err != nil {
		return fmt.Errorf("--data-dir: %s: %w", dir, err)
	}
	s.server = &embedded{dir: dir, log: &serverLog{log: s.env.Log}, patience: s.patience}
	if err := s.server.start(); err != nil {
		return fmt.Errorf("--data-dir: %s: %w", dir, err)
	}
	if s.Durable() && s.begin() {
		s.server.compareInventory()
		go func() {
			defer s.running.Done()
			s.keepInventory()
		}()
	}
	return nil
}

// start starts a server.
func (e *embedded) start() error {
	ns, err := server.NewServer(&server.Options{
		ServerName: "wxgate", DontListen: true, NoSigs: true, JetStream: true, StoreDir: filepath.Join(e.dir, "nats"),
		SyncInterval: syncInterval,
	})
	if err != nil {
		return err
	}
	e.readInventory()
	e.log.reset()
	ns.SetLogger(e.log, false, false)
	e.mu.Lock()
	e.running = ns
	e.mu.Unlock()
	ns.Start()
	if e.log.fatal() || !ns.ReadyForConnections(e.patience) || !ns.JetStreamEnabled() {
		return fmt.Errorf("the store did not start: %s", e.log.last())
	}
	return nil
}

// stop ends the server. What was put is on disk.
func (e *embedded) stop() {
	ns := e.current()
	if ns == nil {
		return
	}
	ns.Shutdown()
	ns.WaitForShutdown()
}

func (e *embedded) current() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running
}

// InProcessConn implements nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.current().InProcessConn() }

// claim makes the directory this process's own.
func (s *Store) claim(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errors.Unwrap(err)
	}
	s.lock = flock.New(filepath.Join(dir, "lock"))
	switch free, err := s.lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("cannot be written: %w", err)
	case !free:
		s.lock = nil
		return errors.New("in use by another process; give this one a directory of its own")
	}
	version := filepath.Join(dir, "format")
	switch data, err := os.ReadFile(version); {
	case errors.Is(err, os.ErrNotExist):
		if err := os.WriteFile(version, []byte(format+"\n"), 0o600); err != nil {
			return fmt.Errorf("cannot be written: %w", err)
		}
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	case strings.TrimSpace(string(data)) != format:
		return fmt.Errorf("holds data of format %q, this version reads %q; use the version that wrote it, or another directory", strings.TrimSpace(string(data)), format)
	}
	return nil
}

// serverLog is the NATS server's log: what is wrong goes to ours.
type serverLog struct {
	log    *slog.Logger
	mu     sync.Mutex
	recent string
	wrong  bool // something was
	ended  bool
}

// reset is for a server that starts.
func (l *serverLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent, l.wrong, l.ended = "", false, false
}

// warned reports whether the server that runs said that something is wrong.
func (l *serverLog) warned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// fatal reports whether the server gave up.
func (l *serverLog) fatal() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// last returns what was wrong last.
func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent
}

// Noticef implements server.Logger.
func (l *serverLog) Noticef(string, ...any) {}

// Debugf implements server.Logger.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *serverLog) Tracef(string, ...any) {}

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, args ...any) { l.tell(slog.LevelWarn, format, args) }

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, args ...any) { l.tell(slog.LevelError, format, args) }

// Fatalf implements server.Logger. The process goes on: Open reports it.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.tell(slog.LevelError, format, args)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

func (l *serverLog) tell(level slog.Level, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	l.recent, l.wrong = text, true
	l.mu.Unlock()
	l.log.Log(context.Background(), level, "store", "text", text)
}
