package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/internal/service"
)

// TestFindingsSessionKeyIsKept: a data directory gets a key once, for this user's eyes; a key that is given comes before it.
func TestFindingsSessionKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, sessionKeyFile)
	given := service.Secret(strings.Repeat("g", 32))
	if key, err := keptSessionKey(given, dir); err != nil || key != given {
		t.Errorf("given: %v; want that alone", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a key was made although one is given")
	}
	if err := os.WriteFile(path+".new", []byte("half"), 0o644); err != nil { // left by a process that died
		t.Fatal(err)
	}
	made, err := keptSessionKey("", dir)
	if err != nil || len(made.Reveal()) != 64 {
		t.Fatalf("a key of %d characters, %v; want 64", len(made.Reveal()), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if again, err := keptSessionKey("", dir); err != nil || again != made {
		t.Errorf("another key at the next start, %v", err)
	}
	if both, err := keptSessionKey(given, dir); err != nil || both.Reveal() != given.Reveal()+","+made.Reveal() {
		t.Errorf("given and kept: %v; want both, the given one first", err)
	}
	for _, text := range []string{"", "short\n", strings.Repeat("x", 40) + "," + strings.Repeat("y", 40)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keptSessionKey("", dir); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%d bytes: %v; want an error that names the file, and nothing of it", len(text), err)
		}
	}
	if _, err := keptSessionKey("", filepath.Join(dir, "missing")); err == nil {
		t.Error("a directory that is missing: no error")
	}
}

// TestFindingsReplicasNeedACommonKey: gateways that may be several, and are for the public, do not start with a key of their own.
func TestFindingsReplicasNeedACommonKey(t *testing.T) {
	const url, nats, key = "https://wx.example.com", "nats://h:4222", "k"
	for _, tt := range []struct {
		public, nats, key string
		good              bool
	}{{url, nats, "", false}, {url, nats, key, true}, {"", nats, "", true}, {url, "", "", true}, {"", "", "", true}} {
		err := checkSessionKey(publicFlags{PublicURL: tt.public, SessionKey: service.Secret(tt.key)}, service.Secret(tt.nats))
		if (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
