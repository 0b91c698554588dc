package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stat is a line of /proc/PID/stat, utime 123 and stime 45.
func stat(name string) string {
	return "4242 (" + name + ") S 1 4242 4242 0 -1 4194560 2039 17 3 1 123 45 8 9 20 0 12 0 5023 1269301248 5120 18446744073709551615\n"
}

func TestParseStat(t *testing.T) {
	for _, name := range []string{"wxgate", "a b", "a) R 1 2 (b", ")", ""} {
		if got, err := parseStat(stat(name)); got != 1680*time.Millisecond || err != nil {
			t.Errorf("%q: got %v, %v; want 1.68s", name, got, err)
		}
	}
	for stat, want := range map[string]string{
		"": "expected 15 fields at least",
		"4242 (wxgate) S 1 4242 4242 0 -1 4194560 2039 17 3 1 123":         "expected 15 fields at least",
		"4242 (wxgate) S 1 4242 4242 0 -1 4194560 2039 17 3 1 x 45 8 9":    "utime: ",
		"4242 (wxgate) S 1 4242 4242 0 -1 4194560 2039 17 3 1 123 4.5 8 9": "stime: ",
	} {
		if got, err := parseStat(stat); err == nil || !strings.HasPrefix(err.Error(), "/proc/PID/stat: "+want) {
			t.Errorf("%q: got %v, %v; want %s", stat, got, err, want)
		}
	}
}

// FuzzParseStat: whatever the name of a program, its times are read, and no file is too odd for the parsers.
func FuzzParseStat(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string) {
		if got, err := parseStat(stat(name)); got != 1680*time.Millisecond || err != nil {
			t.Errorf("got %v, %v; want 1.68s", got, err)
		}
		_, _ = parseStat(name)
		_, _ = parseStatus(name)
	})
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus("Name:\tVmRSS: 7 kB\nVmHWM:\t   90000 kB\nVmRSS:\t   21504 kB\nRssAnon:\t   9000 kB\n")
	if got != 21504*1024 || err != nil {
		t.Errorf("got %d, %v; want %d", got, err, 21504*1024)
	}
	for status, want := range map[string]string{
		"Name:\tsh\n":                "VmRSS is missing", // a process that ended
		"Name:\tsh\nVmRSS:\t21 MB\n": "VmRSS: ",
	} {
		if got, err := parseStatus(status); err == nil || !strings.HasPrefix(err.Error(), "/proc/PID/status: "+want) {
			t.Errorf("%q: got %v, %v; want %s", status, got, err, want)
		}
	}
}

// sh starts a shell that runs a script.
func sh(t *testing.T, script string) *childProcess {
	t.Helper()
	p, err := startProcess(t.TempDir(), "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stopProcess)
	return p
}

// TestAddr: the address is that of the listener, and settings are not inherited.
func TestAddr(t *testing.T) {
	t.Setenv("WXGATE_LISTEN", "192.0.2.1:1")
	p := sh(t, `echo 'no JSON
{"msg":"listening","flag":"internal-listen","addr":"127.0.0.1:1"}
{"msg":"rpc","flag":"listen","addr":"127.0.0.1:2"}
{"msg":"listening","flag":"listen","addr":"127.0.0.1:3'$WXGATE_LISTEN'"}' >&2
exec sleep 600`)
	if addr, err := p.listenAddress(t.Context(), "listen"); addr != "127.0.0.1:3" || err != nil {
		t.Errorf("got %q, %v; want 127.0.0.1:3", addr, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.listenAddress(ctx, "replier-listen"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want that it was cancelled", err)
	}
}

// TestReady: a process is ready when it says so, not when it listens.
func TestReady(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 || r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	p := sh(t, `echo '{"msg":"listening","flag":"internal-listen","addr":"`+srv.Listener.Addr().String()+`"}' >&2; exec sleep 600`)
	took, err := p.awaitReady(t.Context())
	if err != nil || took <= 0 || asked != 3 {
		t.Errorf("got %v, %v, asked %d times; want 3", took, err, asked)
	}
}

// TestEnded: what is awaited of a process that ended fails at once, with the end of its log.
func TestEnded(t *testing.T) {
	p := sh(t, `printf '%01000d' 0 >&2; echo 'a taken port' >&2; exit 1`)
	_, err := p.awaitReady(t.Context())
	want := "sh: it ended; its log ends with:\n" + strings.Repeat("0", 987) + "a taken port\n"
	if err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	if _, err := startProcess(t.TempDir(), "/nowhere/wxgate", "serve"); err == nil {
		t.Error("no such program: got no error")
	}
}

// TestClearLog: what is written later is at the beginning.
func TestClearLog(t *testing.T) {
	p := sh(t, `echo before >&2; while [ ! -e "$HOME/go" ]; do sleep 0.01; done; echo after >&2; exec sleep 600`)
	read := func() string {
		log, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		return string(log)
	}
	if err := p.awaitTrue(t.Context(), "says nothing", func() bool { return read() == "before\n" }); err != nil {
		t.Fatal(err)
	}
	p.clearLog()
	if got := read(); got != "" {
		t.Errorf("got %q; want nothing", got)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(p.log), "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.awaitTrue(t.Context(), "says nothing", func() bool { return strings.HasSuffix(read(), "after\n") }); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "after\n" {
		t.Errorf("got %q; want the second line alone", got)
	}
}
