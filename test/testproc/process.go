// Package testproc runs wxgate as processes, for the tests of whole processes.
package testproc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a process has for work of milliseconds; it fails a test, it never passes one.
const Patience = 20 * time.Second

// Binary is the wxgate that Main built.
var Binary string

// Process is a running wxgate.
type Process struct {
	t      *testing.T
	Cmd    *exec.Cmd
	Done   chan struct{} // closed when it ended and all its log is read
	code   int
	mu     sync.Mutex
	log    bytes.Buffer
	stdout bytes.Buffer
	addrs  map[string]string // by flag
	news   chan struct{}     // signalled for each new address
}

// Start runs wxgate in the background; env is added to a clean environment. It is killed at the test's end.
func Start(t *testing.T, env []string, args ...string) *Process {
	t.Helper()
	return StartBinary(t, Binary, env, args...)
}

// StartBinary is Start for another build.
func StartBinary(t *testing.T, file string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, Cmd: exec.Command(file, args...), Done: make(chan struct{}), addrs: map[string]string{}, news: make(chan struct{}, 64)}
	p.Cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "WXGATE_LOG_LEVEL=debug"}, env...)
	p.Cmd.Stdout = &p.stdout
	stderr, err := p.Cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stderr)
	t.Cleanup(func() { _ = p.Cmd.Process.Kill(); <-p.Done; OneOfEachKey(t, p.Logged()) })
	return p
}

// StartProgram starts a program that prints "listening on" and its address, which is that of the flag "listen". It is killed at the test's end.
func StartProgram(t *testing.T, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, Cmd: cmd, Done: make(chan struct{}), addrs: map[string]string{}, news: make(chan struct{}, 1)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.Done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.log.WriteString(lines.Text() + "\n")
			if addr, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				p.addrs["listen"] = addr
				p.news <- struct{}{}
			}
			p.mu.Unlock()
		}
		_ = cmd.Wait()
		p.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-p.Done })
	return p
}

func (p *Process) read(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Flag, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			p.addrs[line.Flag] = line.Addr
			p.news <- struct{}{}
		}
		p.mu.Unlock()
	}
	_ = p.Cmd.Wait()
	p.code = p.Cmd.ProcessState.ExitCode()
	close(p.Done)
}

// Addr waits for the address of a listener, named by its flag.
func (p *Process) Addr(listener string) string {
	p.t.Helper()
	timeout := time.After(Patience)
	for {
		p.mu.Lock()
		addr := p.addrs[listener]
		p.mu.Unlock()
		if addr != "" {
			return addr
		}
		select {
		case <-p.news:
		case <-p.Done:
			p.t.Fatalf("ended before --%s was bound:\n%s", listener, p.Logged())
		case <-timeout:
			p.t.Fatalf("--%s is not bound:\n%s", listener, p.Logged())
		}
	}
}

// Logged returns the log so far.
func (p *Process) Logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Stop sends SIGTERM and waits; it returns the exit code.
func (p *Process) Stop() int {
	p.t.Helper()
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Wait waits for the end of the process and returns the exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.Done:
	case <-time.After(Patience):
		p.t.Fatalf("still running:\n%s", p.Logged())
	}
	return p.code
}

// Run runs wxgate to its end, in a clean environment with env.
func Run(t *testing.T, env []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// Freeze stops a process, until SIGCONT.
func Freeze(p *Process) { _ = p.Cmd.Process.Signal(syscall.SIGSTOP) }

// WaitFor polls until done returns true.
func WaitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Missing skips the test on a machine that lacks what it needs, and says how to get it. CI must lack nothing.
func Missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// waitingTests is how many parallel tests run at once at least: most of the time they wait for processes.
const waitingTests = 4

// Main builds wxgate, runs the tests and returns their exit code: TestMain of a package that calls Start.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wxgate-test")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	Binary = filepath.Join(dir, "wxgate")
	build := exec.Command("go", "build", "-o", Binary, "wxgate")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 1
	}
	flag.Parse()
	if runtime.GOMAXPROCS(0) < waitingTests {
		_ = flag.Set("test.parallel", strconv.Itoa(waitingTests))
	}
	return m.Run()
}

// File makes a file with a text, and returns its path.
func File(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Bound returns the address of a listener, named by its flag, if there is one by now.
func (p *Process) Bound(listener string) (addr string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	addr, ok = p.addrs[listener]
	return addr, ok
}

// Stdout returns what the process printed; call it once the process has ended.
func (p *Process) Stdout() string { return p.stdout.String() }
