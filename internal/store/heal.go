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
	// reopenWait is how soon after a restart of the server in this process it is connected to.
	reopenWait = 100 * time.Millisecond
	// healPause is the least time between two restarts: what a restart does not cure is not cured by many.
	healPause = 10 * time.Second
	// neededSpace is how many bytes must be free for a restart.
	neededSpace = 1 << 20
)

// healing is what restarts of the server in this process need. The zero healing is ready.
type healing struct {
	mu      sync.Mutex
	last    time.Time                         // when the last restart ended
	streams map[string]jetstream.StreamConfig // all that were opened: those in memory end with the server
}

// remember notes a stream that a restart has to bring back.
func (h *healing) remember(cfg jetstream.StreamConfig) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams == nil {
		h.streams = map[string]jetstream.StreamConfig{}
	}
	h.streams[cfg.Name] = cfg
}

// heal restarts a server in this process that cannot write to its directory although there is space: after the first write
// that fails, as on a full disk, NATS writes nothing to that stream any more.
func (s *Store) heal() {
	h := &s.healing
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.server == nil || !s.Durable() || time.Since(h.last) < healPause || !hasSpace(s.server.dir) {
		return
	}
	s.env.Log.Warn("the store restarts: it cannot write, but its directory can be written to")
	s.server.stop()
	err := s.server.start()
	h.last = time.Now()
	if err != nil {
		s.env.Log.Error("the store did not restart; it is tried again", "error", err)
		return
	}
	s.server.compareInventory()
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	if err := s.awaitConnection(ctx); err != nil {
		s.env.Log.Error("the store does not answer after its restart; it is tried again", "error", err)
		return
	}
	for name, cfg := range h.streams {
		if err := s.create(ctx, cfg); err != nil {
			s.env.Log.Error("the store restarted without a bucket", "bucket", name, "error", err)
		}
	}
}

// awaitConnection waits until the server is connected. The error is the context's.
func (s *Store) awaitConnection(ctx context.Context) error {
	tick := time.NewTicker(reopenWait / 4)
	defer tick.Stop()
	for !s.Connected() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// hasSpace reports whether a file can be written in a directory.
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
