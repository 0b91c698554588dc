package store

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	// temporary is the prefix of the directories of stores that end with their process.
	temporary = "wxgate-"
	// abandonedAfter is the least age of such a directory before it may be removed: a process that starts needs a moment to lock
	// its own.
	abandonedAfter = time.Minute
)

// removeAbandoned removes temporary directories of processes that were killed. It ignores errors.
func removeAbandoned() {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.IsDir() || !strings.HasPrefix(entry.Name(), temporary) || time.Since(info.ModTime()) < abandonedAfter {
			continue
		}
		if dir := filepath.Join(os.TempDir(), entry.Name()); isAbandoned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// isAbandoned reports whether a directory holds a store whose process has ended.
func isAbandoned(dir string) bool {
	if data, err := os.ReadFile(filepath.Join(dir, "format")); err != nil || strings.TrimSpace(string(data)) != format {
		return false
	}
	if _, err := os.Lstat(filepath.Join(dir, "lock")); err != nil {
		return false
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	free, err := lock.TryLock()
	if err != nil || !free {
		return false
	}
	_ = lock.Unlock()
	return true
}
