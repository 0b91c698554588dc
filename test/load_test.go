package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/internal/testaddr"
	"wxgate/test/testproc"
)

// loadReport is what these tests read of the JSON of "wxgate load".
type loadReport struct {
	Messages, Duplicates, Accepted, Failed int
	Interrupted                            bool
	Answers                                map[string]int
	Failures                               []struct {
		Kind  string
		Count int
	}
	Latency struct {
		P50 float64 `json:"p50_ms"`
	}
}

func readLoadReport(t *testing.T, path string) (r loadReport) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoad(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(testproc.AccountEnv...), "serve")
	url := "http://" + p.Addr("listen") + "/"
	dir := t.TempDir()
	asJSON, asHTML := filepath.Join(dir, "a.json"), filepath.Join(dir, "a.html")
	if err := os.WriteFile(asJSON, []byte(strings.Repeat("longer than the report ", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := testproc.Run(t, testproc.AccountEnv, "", "load", "--rate", "100", "--duration", "1500ms", "--users", "20", "--mix", "text=80,event=20",
		"--duplicates", "10", "--mode", "safe", "--echo", "--json", asJSON, "--html", asHTML, url)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s\n%s", code, stdout, stderr, p.Logged())
	}
	r := readLoadReport(t, asJSON)
	if r.Messages != 165 || r.Duplicates != 15 || r.Accepted != 165 || r.Failed != 0 || r.Answers["text"] < 120 || r.Latency.P50 <= 0 {
		t.Errorf("report %+v", r)
	}
	for _, want := range []string{"messages     165, of them duplicates 15\n", "safe mode", "failed       0\n", "p99.99"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, stdout)
		}
	}
	if !strings.HasPrefix(stderr, "1/2 s: ") {
		t.Errorf("progress: %q", stderr)
	}
	if page, err := os.ReadFile(asHTML); err != nil || !strings.Contains(string(page), "165 messages, none failed.") {
		t.Errorf("the page: %v\n%s", err, page)
	}
	for _, secret := range []string{testproc.Token, testproc.AESKey, testproc.AppSecret} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("the report shows %q", secret)
		}
	}
}

// A load that fails exits 1, and still reports.
func TestLoadFails(t *testing.T) {
	t.Parallel()
	asJSON := filepath.Join(t.TempDir(), "a.json")
	code, stdout, stderr := testproc.Run(t, nil, "", "load", "--rate", "50", "--duration", "200ms", "--json", asJSON, "http://"+testaddr.Unused(t)+"/")
	if code != 1 || !strings.Contains(stdout, "connection refused  10\n") || !strings.Contains(stderr, "wxgate: 10 of 10 messages failed\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if r := readLoadReport(t, asJSON); r.Failed != 10 || len(r.Failures) != 1 || r.Failures[0].Kind != "connection refused" {
		t.Errorf("report %+v", r)
	}

	p := testproc.Start(t, testproc.Env(testproc.AccountEnv...), "serve")
	code, stdout, stderr = testproc.Run(t, testproc.AccountEnv, "", "load", "--rate", "50", "--duration", "200ms", "--token", "wrong", "http://"+p.Addr("listen")+"/")
	if code != 1 || !strings.Contains(stdout, "status 403  10\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// Bad values leave no file behind and touch none.
func TestLoadLeavesFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, made := filepath.Join(dir, "old.json"), filepath.Join(dir, "new.html")
	if err := os.WriteFile(old, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := testproc.Run(t, nil, "", "load", "--users", "0", "--json", old, "--html", made, "http://127.0.0.1:1/"); code == 0 || !strings.Contains(stderr, "--users: 0") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if data, err := os.ReadFile(old); err != nil || string(data) != "mine" {
		t.Errorf("the old file: %q, %v", data, err)
	}
	if _, err := os.Stat(made); !os.IsNotExist(err) {
		t.Errorf("the new file: %v", err)
	}
}

// Ctrl-C ends a load early, with a report.
func TestLoadInterrupted(t *testing.T) {
	t.Parallel()
	gateway := testproc.Start(t, testproc.Env(testproc.AccountEnv...), "serve")
	asJSON := filepath.Join(t.TempDir(), "a.json")
	p := testproc.Start(t, testproc.AccountEnv, "load", "--rate", "50", "--duration", "1h", "--json", asJSON, "http://"+gateway.Addr("listen")+"/")
	testproc.WaitFor(t, "a line of progress", func() bool { return strings.Contains(p.Logged(), "1/3600 s: ") })
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, p.Stdout(), p.Logged())
	}
	r := readLoadReport(t, asJSON)
	if !r.Interrupted || r.Messages < 40 || r.Accepted != r.Messages || !strings.Contains(p.Stdout(), ", interrupted,") {
		t.Errorf("report %+v\n%s", r, p.Stdout())
	}
}
