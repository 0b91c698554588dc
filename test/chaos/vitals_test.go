package chaos

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// vitals are what a process takes.
type vitals struct {
	Goroutines int `json:"goroutines"`
	RSSMiB     int `json:"rss_mib"` // 0 where the system does not tell
}

// vitals reads those of a running wxgate.
func (d *daemon) vitals(ctx context.Context) (v vitals, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/metrics", nil)
	if err != nil {
		return v, err
	}
	resp, err := watcher.Do(r)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			if v.Goroutines, err = strconv.Atoi(value); err != nil {
				return v, fmt.Errorf("%s: go_goroutines: %w", d.name, err)
			}
		}
	}
	if v.Goroutines == 0 {
		return v, fmt.Errorf("%s: no go_goroutines in /metrics", d.name)
	}
	v.RSSMiB = rss(d.pid())
	return v, nil
}

// rss returns a process's resident memory in MiB; 0 where there is no /proc.
func rss(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "VmRSS:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib / 1024
		}
	}
	return 0
}

// bill is what a process takes before the load, and when it is over.
type bill struct {
	Name   string `json:"name"`
	Lives  int    `json:"lives"`
	Before vitals `json:"before"`
	After  vitals `json:"after"`
}

// calm is how many goroutines an idle process may have that had fewer before.
func (b bill) calm() int { return 2*b.Before.Goroutines + 20 }

// bills reads the vitals of processes before the load.
func bills(ctx context.Context, daemons []*daemon) ([]bill, error) {
	var all []bill
	for _, d := range daemons {
		v, err := d.vitals(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, bill{Name: d.name, Before: v})
	}
	return all, nil
}

// close reads the vitals again, once the process has come to rest or a while is over.
func (b *bill) close(ctx context.Context, d *daemon) (err error) {
	for deadline := time.Now().Add(15 * time.Second); ; {
		if b.After, err = d.vitals(ctx); err != nil {
			return err
		}
		if b.After.Goroutines <= b.calm() || time.Now().After(deadline) {
			break
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b.Lives = d.lives
	return nil
}
