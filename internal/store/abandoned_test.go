package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFindingsAbandonedDirectoriesAreRemoved: a process that was killed leaves its temporary directory; the next one removes
// it, and no other.
func TestFindingsAbandonedDirectoriesAreRemoved(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	old := time.Now().Add(-2 * abandonedAfter)
	directory := func(name string, files ...string) string {
		dir := filepath.Join(tmp, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(format+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	abandoned := directory("wxgate-1", "lock", "format")
	foreign := directory("wxgate-2", "lock")
	other := directory("other", "lock", "format")
	first := open(t, Config{})
	if err := os.Chtimes(first.memory, old, old); err != nil {
		t.Fatal(err)
	}
	open(t, Config{})
	for dir, want := range map[string]bool{abandoned: false, foreign: true, other: true, first.memory: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v; want it to be there: %t", filepath.Base(dir), err, want)
		}
	}
}
