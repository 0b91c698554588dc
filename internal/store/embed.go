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
	"wxgate/internal/service"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// syncInterval is the time between two syncs to disk: a power failure may lose writes of that time. The end of a process loses
// nothing.
const syncInterval = time.Second

// format is the version of the layout of a data directory.
const format = "1"

// embeddedServer is a NATS server in this process, without a network listener. It can be restarted; connections reach the
// running one. It is safe for concurrent use.
type embeddedServer struct {
	dir      string
	log      *serverLog
	patience time.Duration

	mu      sync.Mutex
	running *server.Server
	before  inventory // read before the server started
}

// startEmbedded starts a NATS server in this process.
func (s *Store) startEmbedded(dir string) error {
	if dir == "" {
		removeAbandoned()
		var err error
		if s.memory, err = os.MkdirTemp("", temporary); err == nil {
			err = s.lockDirectory(s.memory)
		}
		if err != nil {
			return fmt.Errorf("without --data-dir the store needs a directory for temporary files (TMPDIR or /tmp): %w", err)
		}
		dir = s.memory
	} else if err := s.lockDirectory(dir); err != nil {
		return service.BadSetting("data dir", "%s: %w", dir, err)
	}
	s.server = &embeddedServer{dir: dir, log: &serverLog{log: s.env.Log}, patience: s.patience}
	if err := s.server.startServer(); err != nil {
		return service.BadSetting("data dir", "%s: %w", dir, err)
	}
	if s.IsDurable() && s.beginMaking() {
		s.server.compareInventory()
		go func() {
			defer s.running.Done()
			s.keepInventory()
		}()
	}
	return nil
}

// startServer starts a server.
func (e *embeddedServer) startServer() error {
	ns, err := server.NewServer(&server.Options{
		ServerName: "wxgate", DontListen: true, NoSigs: true, JetStream: true, StoreDir: filepath.Join(e.dir, "nats"),
		SyncInterval: syncInterval,
	})
	if err != nil {
		return err
	}
	e.readInventory()
	e.log.forgetWarnings()
	ns.SetLogger(e.log, false, false)
	e.mu.Lock()
	e.running = ns
	e.mu.Unlock()
	ns.Start()
	if e.log.hasGivenUp() || !ns.ReadyForConnections(e.patience) || !ns.JetStreamEnabled() {
		return fmt.Errorf("the store did not start: %s", e.log.lastWarning())
	}
	return nil
}

// stopServer ends the server. All values are on disk afterwards.
func (e *embeddedServer) stopServer() {
	ns := e.currentServer()
	if ns == nil {
		return
	}
	ns.Shutdown()
	ns.WaitForShutdown()
}

func (e *embeddedServer) currentServer() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running
}

// InProcessConn implements nats.InProcessConnProvider.
func (e *embeddedServer) InProcessConn() (net.Conn, error) { return e.currentServer().InProcessConn() }

// lockDirectory reserves the directory for this process, and checks its format.
func (s *Store) lockDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errors.Unwrap(err)
	}
	s.lock = flock.New(filepath.Join(dir, "lock"))
	switch free, err := s.lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("cannot be written: %w", err)
	case !free:
		s.lock = nil
		return errors.New("in use by another process; choose another directory")
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
		return fmt.Errorf("holds data of format %q, but this version reads %q; use the version that wrote it, or another directory", strings.TrimSpace(string(data)), format)
	}
	return nil
}

// serverLog forwards warnings and errors of the NATS server to the log of this process.
type serverLog struct {
	log    *slog.Logger
	mu     sync.Mutex
	recent string
	wrong  bool // the server warned
	ended  bool
}

// forgetWarnings resets the log for a server that starts.
func (l *serverLog) forgetWarnings() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent, l.wrong, l.ended = "", false, false
}

// hasWarned reports whether the running server logged a warning or an error.
func (l *serverLog) hasWarned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// hasGivenUp reports whether the server logged a fatal error.
func (l *serverLog) hasGivenUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// lastWarning returns the last warning or error.
func (l *serverLog) lastWarning() string {
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
func (l *serverLog) Warnf(format string, args ...any) { l.forward(slog.LevelWarn, format, args) }

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, args ...any) { l.forward(slog.LevelError, format, args) }

// Fatalf implements server.Logger. It does not end the process: Open returns the error.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.forward(slog.LevelError, format, args)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

func (l *serverLog) forward(level slog.Level, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	l.recent, l.wrong = text, true
	l.mu.Unlock()
	l.log.Log(context.Background(), level, "store", "text", text)
}
