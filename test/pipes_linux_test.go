package test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wxgate/test/testproc"
)

// TestFindingsPipesAreNoFiles: rules, included rules and accounts that are pipes are errors, and nothing hangs: at the
// start, in a check, and when a file becomes a pipe while it is watched.
func TestFindingsPipesAreNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, rules, accounts := filepath.Join(dir, "pipe"), filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "accounts.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(rules, "rules: [{include: pipe}]\n")
	put(accounts, "accounts: [{name: a, mode: plain, token_file: pipe}]\n")
	for _, args := range []string{
		"rules check " + pipe, "rules check " + rules, "rules check /dev/stdin", "rules check " + dir, "rules check /dev/zero",
		"replier --rules " + rules, "replier --accounts " + pipe, "gateway --accounts " + pipe, "gateway --accounts " + accounts,
	} {
		code, _, stderr := testproc.Run(t, testproc.Env(), "rules: []", strings.Fields(args)...)
		if code != 1 || !strings.Contains(stderr, "; expected a regular file") {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}

	put(rules, "rules: [{name: a, reply: {text: hello}}]\n")
	p := testproc.Start(t, testproc.Env(), "replier", "--rules", rules)
	p.Addr("internal-listen")
	if err := os.Rename(pipe, rules); err != nil {
		t.Fatal(err)
	}
	testproc.WaitFor(t, "the pipe is refused", func() bool { return strings.Contains(p.Logged(), "is a pipe; expected a regular file") })
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}
