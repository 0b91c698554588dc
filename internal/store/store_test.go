package store

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"wxgate/internal/service"
	"wxgate/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TEST_DIR"); dir != "" {
		child(dir)
		return
	}
	storetest.VerifyTestMain(m)
}

// patience is how long something may take; it fails a test, it never passes one.
const patience = 20 * time.Second

func env() service.Env { return service.NewEnv(slog.New(slog.DiscardHandler)) }

// natsServer runs a NATS server with JetStream at a port of 127.0.0.1; stop ends it before the test does.
func natsServer(t *testing.T, port int, dir string) (ns *server.Server, stop func()) {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, JetStream: true, StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	stop = sync.OnceFunc(func() { ns.Shutdown(); ns.WaitForShutdown() })
	t.Cleanup(stop)
	if !ns.ReadyForConnections(patience) {
		t.Fatal("no NATS server")
	}
	return ns, stop
}

// cluster returns the URL of a NATS server.
func cluster(t *testing.T) string {
	t.Helper()
	ns, _ := natsServer(t, server.RANDOM_PORT, t.TempDir())
	return ns.ClientURL()
}

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	cfg.Env = env()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *Store) mustBucket(t *testing.T, life time.Duration) *Bucket {
	t.Helper()
	b, err := s.Bucket("test", life)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// expectValue checks what a key has; "" is nothing.
func (b *Bucket) expectValue(t *testing.T, key, want string) {
	t.Helper()
	got, ok, err := b.Get(t.Context(), key)
	if err != nil || string(got) != want || ok != (want != "") {
		t.Errorf("%s: %q, %t, %v; want %q", key, got, ok, err, want)
	}
}

func (b *Bucket) mustPut(t *testing.T, key, value string) {
	t.Helper()
	if err := b.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "directory")
	for _, want := range []string{"", "kept", "kept"} {
		s := open(t, Config{Dir: dir})
		if !s.IsDurable() {
			t.Error("a directory is not durable")
		}
		b := s.mustBucket(t, time.Hour)
		b.expectValue(t, "k", want)
		b.mustPut(t, "k", "kept")
		s.Close()
	}
}

func TestMemoryLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s := open(t, Config{})
	if s.IsDurable() {
		t.Error("memory is durable")
	}
	s.mustBucket(t, time.Hour).mustPut(t, "k", "v")
	s.Close()
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v; want nothing", left, err)
	}
}

// TestBadDirectory: each is one line, which names the directory and what is wrong with it.
func TestBadDirectory(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(t *testing.T, dir string)
		want string // behind "data dir: DIR: "
	}{
		"in use": {func(t *testing.T, dir string) { open(t, Config{Dir: dir}) },
			"in use by another process; choose another directory"},
		"another version's": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "format"), "2\n") },
			`holds data of format "2", but this version reads "1"; use the version that wrote it, or another directory`},
		"a file": {func(t *testing.T, dir string) { write(t, dir, "") },
			"not a directory"},
		"in a file": {func(t *testing.T, dir string) { write(t, filepath.Dir(dir), "") },
			"not a directory"},
		"format is a directory": {func(t *testing.T, dir string) { mkdir(t, filepath.Join(dir, "format")) },
			"cannot be read: "},
		"lock is a directory": {func(t *testing.T, dir string) { mkdir(t, filepath.Join(dir, "lock")) },
			"cannot be written: "},
		"nats is a file": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "nats"), "") },
			"the store did not start: "},
		"read-only": {func(t *testing.T, dir string) {
			if os.Getuid() == 0 {
				t.Skip("root writes everywhere")
			}
			mkdir(t, dir)
			if err := os.Chmod(dir, 0o500); err != nil {
				t.Fatal(err)
			}
		}, "cannot be written: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "above", "dir")
			tt.make(t, dir)
			s, err := Open(Config{Env: env(), Dir: dir})
			if err == nil {
				s.Close()
				t.Fatal("opened; want an error")
			}
			if want := "data dir: " + dir + ": " + tt.want; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q; want one line %q", err, want)
			}
		})
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBadURL(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := free.Addr().String()
	_ = free.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its queue takes connections
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	defer plain.WaitForShutdown()
	defer plain.Shutdown()
	const odd = "nats: expected URLs such as nats://user:password@host:4222, with commas between them"
	for name, tt := range map[string]struct {
		cfg  Config
		want string // the beginning
	}{
		"nobody there":       {Config{URL: "nats://user:hunter2@" + away}, "nats: nats://…@" + away + ": "},
		"nobody at all":      {Config{URL: "nats://hunter2@" + away + ",nats://u:hunter2@" + away}, "nats: nats://…@" + away + ",nats://…@" + away + ": "},
		"password with an @": {Config{URL: "nats://u:p@hunter2@" + away}, "nats: nats://…@" + away + ": "},
		"somebody silent":    {Config{URL: "nats://u:hunter2@" + silent.Addr().String(), openTimeout: 100 * time.Millisecond}, "nats: nats://…@" + silent.Addr().String() + ": "},
		"no URL":             {Config{URL: "nats://u:hunter2%zz@" + away}, odd},
		"no host":            {Config{URL: "nats://"}, odd},
		"one of none":        {Config{URL: "nats://" + away + ",,"}, odd},
		"no JetStream":       {Config{URL: plain.ClientURL()}, "store: bucket shared_locks: "},
		"both":               {Config{URL: "nats://u:hunter2@" + away, Dir: "d"}, "data dir: set besides --nats (WXGATE_NATS); "},
	} {
		t.Run(name, func(t *testing.T) {
			tt.cfg.Env = env()
			s, err := Open(tt.cfg)
			if err == nil {
				s.Close()
				t.Fatal("opened; want an error")
			}
			if !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q; want one line %q", err, tt.want)
			}
		})
	}
}

// TestClusterGoesAndComes: in between the store is away; after it, it has what was put.
func TestClusterGoesAndComes(t *testing.T) {
	dir := t.TempDir()
	first, stop := natsServer(t, server.RANDOM_PORT, dir)
	port := first.Addr().(*net.TCPAddr).Port
	cfg := Config{Env: env(), URL: first.ClientURL()}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := s.mustBucket(t, time.Hour)
	b.mustPut(t, "k", "v")
	stop()
	until(t, func() bool { return s.conn.Status() != nats.CONNECTED })
	// The callers have time: that they learn it is not the end of theirs.
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var all sync.WaitGroup
	for what, do := range map[string]func() error{
		"Get":    func() error { _, _, err := b.Get(ctx, "k"); return err },
		"Put":    func() error { return b.Put(ctx, "k2", nil) },
		"Claim":  func() error { _, err := b.PutIfAbsent(ctx, "k2", nil); return err },
		"Delete": func() error { return b.Delete(ctx, "k2") },
		"Once":   func() error { _, _, err := b.GetOrMake(ctx, "k2", always, makes("v")); return err },
	} {
		all.Go(func() {
			if err := do(); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %v; want ErrUnavailable", what, err)
			}
		})
	}
	all.Wait()
	natsServer(t, port, dir)
	until(t, func() bool { return s.conn.Status() == nats.CONNECTED })
	b.expectValue(t, "k", "v")
	b.mustPut(t, "k", "next")
	b.expectValue(t, "k", "next")
}

// until waits for what must come.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}
