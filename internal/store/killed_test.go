package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child is another process: it puts one value after the other, and says so, until it is killed or can't.
func child(dir string) {
	if os.Getenv("STORE_TEST_HEAL") != "" {
		fmt.Println(healChild(dir))
		return
	}
	if limit, err := strconv.ParseUint(os.Getenv("STORE_TEST_LIMIT"), 10, 64); err == nil {
		signal.Ignore(syscall.SIGXFSZ) // a file that is too large is an error then, as on a full disk
		if err := limitFiles(limit); err != nil {
			fmt.Println("limit:", err)
			return
		}
	}
	s, err := Open(Config{Env: env(), Dir: dir})
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	defer s.Close()
	b, err := s.Bucket("test", time.Hour)
	if err != nil {
		fmt.Println("bucket:", err)
		return
	}
	value := []byte(strings.Repeat("v", 1000))
	for i := 0; ; i++ {
		if err := b.Put(context.Background(), fmt.Sprint("k", i), value); err != nil {
			fmt.Println("put:", errors.Is(err, ErrUnavailable))
			return
		}
		fmt.Println(i)
	}
}

// runChild starts the child; lines are what it says.
func runChild(t *testing.T, env ...string) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilled: what was put is there after the process was killed, at any moment.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for _, puts := range []int{1, 50} {
		cmd, lines := runChild(t, "STORE_TEST_DIR="+dir)
		last := ""
		for range puts {
			if !lines.Scan() {
				t.Fatalf("the child ended: %s", last)
			}
			last = lines.Text()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			last = lines.Text()
		}
		_ = cmd.Wait()
		n, err := strconv.Atoi(last)
		if err != nil {
			t.Fatalf("the child said %q", last)
		}
		s := open(t, Config{Dir: dir})
		b := s.mustBucket(t, time.Hour)
		for i := range n + 1 {
			if value, ok, err := b.Get(t.Context(), fmt.Sprint("k", i)); err != nil || !ok || len(value) != 1000 {
				t.Fatalf("value %d of %d: %d bytes, %t, %v; want it", i, n, len(value), ok, err)
			}
		}
		s.Close()
	}
}

// TestFull: a disk that takes no more is ErrUnavailable, and what was put before stays.
func TestFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a limit of a process's files")
	}
	dir := t.TempDir()
	cmd, lines := runChild(t, "STORE_TEST_DIR="+dir, "STORE_TEST_LIMIT=100000")
	put, last := -1, ""
	for lines.Scan() {
		last = lines.Text()
		if i, err := strconv.Atoi(last); err == nil {
			put = i
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v; want a clean end", err)
	}
	if last != "put: true" || put < 10 {
		t.Errorf("the child ended after %d values with %q; want ErrUnavailable of a Put", put, last)
	}
	b := open(t, Config{Dir: dir}).mustBucket(t, time.Hour)
	for i := range put + 1 {
		if _, ok, err := b.Get(t.Context(), fmt.Sprint("k", i)); err != nil || !ok {
			t.Fatalf("value %d of %d: %t, %v; want it", i, put, ok, err)
		}
	}
}

func limitFiles(size uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: 1 << 40})
}
