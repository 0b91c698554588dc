package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a process gets for what takes it milliseconds; it fails a test, it never passes one.
const patience = 20 * time.Second

var binary string

func TestMain(m *testing.M) {
	if node := os.Getenv(natsNodeEnv); node != "" { // this process is a NATS server of another's test
		if err := runNATSNode(node); err != nil {
			panic(err)
		}
		return
	}
	dir, err := os.MkdirTemp("", "wxgate-test")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "wxgate")
	build := exec.Command("go", "build", "-o", binary, "..")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// process is a running wxgate.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	done   chan struct{} // closed when it ended and all its log is read
	code   int
	mu     sync.Mutex
	log    bytes.Buffer
	stdout bytes.Buffer
	addrs  map[string]string // by flag
	news   chan struct{}     // signalled for each new address
}

// start runs wxgate in the background; env is added to a clean environment. It is killed at the test's end.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startBinary(t, binary, env, args...)
}

// startBinary is start of another build.
func startBinary(t *testing.T, file string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(file, args...), done: make(chan struct{}), addrs: map[string]string{}, news: make(chan struct{}, 64)}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "WXGATE_LOG_LEVEL=debug"}, env...)
	p.cmd.Stdout = &p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stderr)
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.done; oneOfEachKey(t, p.logged()) })
	return p
}

func (p *process) read(stderr io.Reader) {
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
	_ = p.cmd.Wait()
	p.code = p.cmd.ProcessState.ExitCode()
	close(p.done)
}

// addr waits for the address of a listener, named by its flag.
func (p *process) addr(flag string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		addr := p.addrs[flag]
		p.mu.Unlock()
		if addr != "" {
			return addr
		}
		select {
		case <-p.news:
		case <-p.done:
			p.t.Fatalf("ended before --%s was bound:\n%s", flag, p.logged())
		case <-timeout:
			p.t.Fatalf("--%s is not bound:\n%s", flag, p.logged())
		}
	}
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// stop sends SIGTERM and waits; it returns the exit code.
func (p *process) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("still running:\n%s", p.logged())
	}
	return p.code
}

// run runs wxgate to its end.
func run(t *testing.T, env []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
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
