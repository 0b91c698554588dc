package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startTime is the longest time that a process may take until it is ready: some load 100,000 rules.
const startTime = 3 * time.Minute

// childProcess is a running server. Its log goes to a file: the server pays for the write, and no reader has to wake up.
type childProcess struct {
	name  string
	cmd   *exec.Cmd
	log   string // path
	began time.Time
	done  chan struct{} // closed when it ended
}

// startProcess runs a binary in an environment without settings.
func startProcess(dir, binary string, args ...string) (*childProcess, error) {
	log, err := os.CreateTemp(dir, filepath.Base(binary)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	name := filepath.Base(binary)
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name += " " + args[0]
	}
	p := &childProcess{name: name, cmd: exec.Command(binary, args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	appended, err := os.OpenFile(log.Name(), os.O_WRONLY|os.O_APPEND, 0) // so that clearLog may cut it
	if err != nil {
		return nil, err
	}
	defer appended.Close()
	p.cmd.Stderr = appended
	dieWithParent(p.cmd)
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stopProcess kills the process: it has no state to save.
func (p *childProcess) stopProcess() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// clearLog empties the log.
func (p *childProcess) clearLog() { _ = os.Truncate(p.log, 0) }

// listenAddress waits until a listener is bound, named by its flag, and returns its address.
func (p *childProcess) listenAddress(ctx context.Context, flag string) (string, error) {
	var addr string
	err := p.awaitTrue(ctx, "--"+flag+" is not bound", func() bool {
		log, _ := os.ReadFile(p.log)
		for line := range bytes.Lines(log) {
			var l struct{ Msg, Flag, Addr string }
			if json.Unmarshal(line, &l) == nil && l.Msg == "listening" && l.Flag == flag {
				addr = l.Addr
				return true
			}
		}
		return false
	})
	return addr, err
}

// awaitReady waits until the process reports that it is ready, and returns the time since its start.
func (p *childProcess) awaitReady(ctx context.Context) (time.Duration, error) {
	addr, err := p.listenAddress(ctx, "internal-listen")
	if err != nil {
		return 0, err
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	err = p.awaitTrue(ctx, "is not ready", func() bool {
		resp, err := client.Get("http://" + addr + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return time.Since(p.began), err
}

// awaitTrue calls so every millisecond until it returns true. missing is the error if the process ends or is too slow.
func (p *childProcess) awaitTrue(ctx context.Context, missing string, so func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.After(startTime)
	for !so() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return p.failure("it ended")
		case <-timeout:
			return p.failure(missing)
		case <-tick.C:
		}
	}
	return nil
}

// failure returns an error with the end of the log.
func (p *childProcess) failure(problem string) error {
	log, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s: %s; its log ends with:\n%s", p.name, problem, log[max(0, len(log)-1000):])
}

// cpuTime returns the CPU time of the process, user and system.
func (p *childProcess) cpuTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(stat))
}

// residentBytes returns the process's resident memory.
func (p *childProcess) residentBytes() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseStatus(string(status))
}

// clockTick is the unit of times in /proc/PID/stat: on Linux always a hundredth of a second (man 5 proc).
const clockTick = 10 * time.Millisecond

// parseStat reads utime and stime, fields 14 and 15 of /proc/PID/stat. The second field, a name in brackets, may have
// blanks and brackets in it.
func parseStat(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat: expected 15 fields at least")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: utime: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: stime: %w", err)
	}
	return time.Duration(user+system) * clockTick, nil
}

// parseStatus reads VmRSS of /proc/PID/status.
func parseStatus(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/PID/status: VmRSS: %w", err)
			}
			return kB << 10, nil
		}
	}
	return 0, errors.New("/proc/PID/status: VmRSS is missing")
}
