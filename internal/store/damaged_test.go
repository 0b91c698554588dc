package store

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wxgate/internal/service"
)

// TestFindingsDamagedDirectoriesAreNamed: what a damaged data directory lost is in a line of the log, and what is left goes on.
func TestFindingsDamagedDirectoriesAreNamed(t *testing.T) {
	const values = 50
	for name, tt := range map[string]struct {
		damage func(block, index string, data []byte) error
		want   string // "" for nothing
	}{
		"as it was":         {func(string, string, []byte) error { return nil }, ""},
		"without its index": {func(_, index string, _ []byte) error { return os.Remove(index) }, ""},
		"half a block":      {func(block, _ string, data []byte) error { return os.WriteFile(block, data[:len(data)/2], 0o600) }, "lost values"},
		"a block of zeros":  {func(block, _ string, data []byte) error { return os.WriteFile(block, make([]byte, len(data)), 0o600) }, "lost values"},
		"no block":          {func(block, _ string, _ []byte) error { return os.Remove(block) }, "lost values"},
		"flipped bytes":     {func(block, _ string, data []byte) error { return flip(block, data) }, "the data directory is damaged"},
		"one flipped value": {func(block, _ string, data []byte) error {
			data[len(data)/values*10+len(data)/values/2] ^= 0xff
			return os.WriteFile(block, data, 0o600)
		}, "cannot be read"},
		"flipped bytes, and no index": {func(block, index string, data []byte) error {
			_ = os.Remove(index)
			return flip(block, data)
		}, "lost values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, Config{Dir: dir})
			table := mustTable(t, s)
			for i := range values {
				if _, err := table.PutIfRevision(t.Context(), fmt.Sprint("k", i), make([]byte, 1000), 0, 0); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()
			streams := filepath.Join(dir, "nats", "jetstream", "$G", "streams", "KV_wxgate_"+table.bucket.name, "msgs")
			block := filepath.Join(streams, "1.blk")
			data, err := os.ReadFile(block)
			if err == nil {
				err = tt.damage(block, filepath.Join(streams, "index.db"), data)
			}
			if err != nil {
				t.Fatal(err)
			}
			log := loadDamaged(t, dir)
			if (tt.want == "") != !strings.Contains(log, "damaged") || !strings.Contains(log, tt.want) || !strings.Contains(log, table.bucket.name) && tt.want != "" {
				t.Errorf("log:\n%s\nwant %q", log, tt.want)
			}
		})
	}
}

func flip(file string, data []byte) error {
	for i := len(data) / 2; i < len(data)/2+100; i++ {
		data[i] ^= 0xff
	}
	return os.WriteFile(file, data, 0o600)
}

// loadDamaged opens a store, reads a table of it, writes to it, and returns the log.
func loadDamaged(t *testing.T, dir string) string {
	t.Helper()
	var log lockedBuffer
	s, err := Open(Config{Env: service.NewEnv(slog.New(slog.NewTextHandler(&log, nil))), Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	table := mustTable(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	loaded := false
	table.Watch(ctx, func(Record) {}, func() { loaded = true; cancel() })
	if !loaded {
		t.Error("a watch does not learn when all that is left is loaded")
	}
	if _, err := table.PutIfRevision(t.Context(), "new", []byte("value"), 0, time.Hour); err != nil {
		t.Errorf("nothing can be put: %v", err)
	}
	return log.String()
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
