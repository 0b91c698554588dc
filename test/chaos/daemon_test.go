package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"wxgate/test/testproc"
)

// daemon is a process that is killed, frozen and started again: its addresses stay, and its log is a file.
type daemon struct {
	name  string
	env   []string // the whole of it
	args  []string // the program first
	url   string   // of its internal address
	ready string   // path there that says 200 when it does its job
	log   string   // file of what it writes; one for all its lives

	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{} // closed when cmd ended
	asked  bool          // to end: its end is no surprise
	lives  int
	ending string // how it ended when nobody asked; "" where it did not
}

// start starts the process, and waits until it does its job.
func (d *daemon) start(ctx context.Context) error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(d.args[0], d.args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.env, log, log
	testproc.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	d.mu.Lock()
	d.cmd, d.done, d.asked = cmd, done, false
	d.lives++
	d.mu.Unlock()
	go func() {
		_ = cmd.Wait()
		d.mu.Lock()
		if !d.asked {
			d.ending = cmd.ProcessState.String()
		}
		d.mu.Unlock()
		close(done)
	}()
	return d.wait(ctx)
}

// wait waits until the process does its job.
func (d *daemon) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, testproc.Patience)
	defer cancel()
	var last error
	for {
		if last = d.healthy(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", d.name, last)
		case <-d.ended():
			return fmt.Errorf("%s ended: %s", d.name, d.cmd.ProcessState)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *daemon) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+d.ready, nil)
	if err != nil {
		return err
	}
	resp, err := watcher.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", d.ready, resp.Status)
	}
	return nil
}

// watcher looks at processes' internal addresses. It leaves no connection behind, which would count as a goroutine.
var watcher = &http.Client{Timeout: testproc.Patience, Transport: &http.Transport{DisableKeepAlives: true}}

func (d *daemon) ended() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

func (d *daemon) pid() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd.Process.Pid
}

func (d *daemon) signal(s syscall.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = d.asked || s == syscall.SIGKILL || s == syscall.SIGTERM
	_ = d.cmd.Process.Signal(s)
}

// kill ends the process as a power cut would.
func (d *daemon) kill() {
	d.mu.Lock()
	started := d.cmd != nil
	d.mu.Unlock()
	if !started {
		return
	}
	d.signal(syscall.SIGKILL)
	<-d.ended()
}

// stop asks the process to end, and waits for it.
func (d *daemon) stop() error {
	d.signal(syscall.SIGTERM)
	select {
	case <-d.ended():
	case <-time.After(testproc.Patience):
		return fmt.Errorf("%s still runs %v after SIGTERM", d.name, testproc.Patience)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s: exit code %d after SIGTERM", d.name, code)
	}
	return nil
}

// surprise tells how the process ended by itself; "" where it never did.
func (d *daemon) surprise() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ending
}

// newDaemon describes a process; it is killed at the test's end.
func newDaemon(t *testing.T, dir, name string, env []string, args ...string) *daemon {
	d := &daemon{name: name, args: args, log: filepath.Join(dir, name+".log"), ready: "/readyz"}
	d.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "WXGATE_LOG_LEVEL=info"}, env...)
	t.Cleanup(d.kill)
	return d
}

// ports gives ports that nobody has, at addresses of this machine. They are below those that the kernel gives to
// outgoing connections, so that a process which was killed finds its port free.
type ports struct{ next int }

func newPorts() *ports { return &ports{20000 + os.Getpid()%10000} }

// take returns a port that is free at all the hosts.
func (p *ports) take(t *testing.T, hosts ...string) string {
	t.Helper()
next:
	for range 2000 {
		port := strconv.Itoa(p.next)
		p.next++
		for _, host := range hosts {
			lis, err := net.Listen("tcp", net.JoinHostPort(host, port))
			if err != nil {
				continue next
			}
			lis.Close()
		}
		return port
	}
	t.Fatalf("no port is free at %v", hosts)
	return ""
}
