package store

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFindingsStoreHealsAfterFullDisk: once there is space again, a store in this process goes on without a restart of the
// process, with all that it took.
func TestFindingsStoreHealsAfterFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a limit of a process's files")
	}
	t.Parallel()
	cmd, lines := runChild(t, "STORE_TEST_DIR="+t.TempDir(), "STORE_TEST_HEAL=1")
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := cmd.Wait(); err != nil || last != "healed" {
		t.Errorf("the child ended with %v: %s", err, last)
	}
}

// healChild fills what stands in for a disk, makes space, and says what came of it: "healed" or what is wrong.
func healChild(dir string) string {
	signal.Ignore(syscall.SIGXFSZ) // a file that is too large is an error then, as on a full disk
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	s, err := Open(Config{Env: env(), Dir: dir})
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	b, err := s.Bucket("test", time.Hour)
	if err != nil {
		return err.Error()
	}
	table, err := s.Table(ctx, "records", time.Hour)
	if err != nil {
		return err.Error()
	}
	seen := make(chan string, 1)
	go table.Watch(ctx, func(r Record) { seen <- r.Key }, func() {})

	if err := limitFiles(100_000); err != nil {
		return err.Error()
	}
	value, put := []byte(strings.Repeat("v", 1000)), 0
	for err = nil; err == nil; put++ {
		err = b.Put(ctx, fmt.Sprint("k", put), value)
	}
	if !errors.Is(err, ErrUnavailable) {
		return "a full disk is " + err.Error()
	}
	if !eventually(ctx, func() bool { return s.WriteError() != nil }) {
		return "nobody is told that the store cannot write"
	}
	if err := limitFiles(1 << 30); err != nil {
		return err.Error()
	}
	if !eventually(ctx, func() bool { return b.Put(ctx, "after", value) == nil }) {
		return "nothing is taken though there is space"
	}
	for i := range put - 1 {
		if _, ok, err := b.Get(ctx, fmt.Sprint("k", i)); err != nil || !ok {
			return fmt.Sprintf("value %d of %d: %t, %v", i, put, ok, err)
		}
	}
	if _, _, err := b.GetOrMake(ctx, "once", func([]byte) bool { return true }, func(context.Context) ([]byte, error) { return value, nil }); err != nil {
		return "locks: " + err.Error()
	}
	if _, err := table.PutIfRevision(ctx, "seen", value, 0, 0); err != nil {
		return err.Error()
	}
	select {
	case <-seen:
	case <-ctx.Done():
		return "who watched before sees nothing any more"
	}
	if !eventually(ctx, func() bool { return s.WriteError() == nil }) {
		return "trouble: " + s.WriteError().Error()
	}
	return "healed"
}

func eventually(ctx context.Context, is func() bool) bool {
	for !is() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	return true
}
