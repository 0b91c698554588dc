package store

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// reopenWait is the delay before this process connects again to its restarted server.
	reopenWait = 100 * time.Millisecond
	// healPause is the least time between two restarts: if one does not help, more will not.
	healPause = 10 * time.Second
	// neededSpace is how many bytes must be free on disk for a restart.
	neededSpace = 1 << 20
)

// healState is the state that restarts of the server in this process need. The zero value is ready.
type healState struct {
	mu      sync.Mutex
	last    time.Time                         // when the last restart ended
	streams map[string]jetstream.StreamConfig // all that were opened, by name: those in memory end with the server
}

// rememberStream records a stream that a restart has to create again.
func (h *healState) rememberStream(cfg jetstream.StreamConfig) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams == nil {
		h.streams = map[string]jetstream.StreamConfig{}
	}
	h.streams[cfg.Name] = cfg
}

// restartIfBroken restarts the server in this process if its directory has space. It is called while a bucket cannot be
// written: after one failed write, as on a full disk, NATS writes nothing to that stream any more.
func (s *Store) restartIfBroken() {
	h := &s.healing
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.server == nil || !s.IsDurable() || time.Since(h.last) < healPause || !hasSpace(s.server.dir) {
		return
	}
	s.env.Log.Warn("restarting the store: it cannot write, although its directory is writable")
	s.server.stopServer()
	err := s.server.startServer()
	h.last = time.Now()
	if err != nil {
		s.env.Log.Error("the store did not restart; trying again", "error", err)
		return
	}
	s.server.compareInventory()
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	if err := s.awaitConnection(ctx); err != nil {
		s.env.Log.Error("the store does not answer after its restart; trying again", "error", err)
		return
	}
	for name, cfg := range h.streams {
		if err := s.createStream(ctx, cfg); err != nil {
			s.env.Log.Error("cannot create a bucket again after the restart of the store", "bucket", name, "error", err)
		}
	}
}

// awaitConnection waits until the store is connected to its server. The error is the context's.
func (s *Store) awaitConnection(ctx context.Context) error {
	tick := time.NewTicker(reopenWait / 4)
	defer tick.Stop()
	for !s.IsConnected() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// hasSpace reports whether a file of neededSpace bytes can be written to a directory.
func hasSpace(dir string) bool {
	name := filepath.Join(dir, "space")
	defer func() { _ = os.Remove(name) }()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Write(make([]byte, neededSpace))
	return err == nil && f.Sync() == nil && f.Close() == nil
}
