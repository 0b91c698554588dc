package wechatapi

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// leaveFor is how long a host that failed is left before it is probed, and how far apart probes are.
const leaveFor = 30 * time.Second

// hosts are the bases of WeChat's API, the preferred one first. A host that failed is left for the next one until a probe
// says that it works again: users' calls do not find that out while another host works. It is safe for concurrent use.
type hosts struct {
	bases  []string
	probe  func(ctx context.Context, base string) error // nil: the host works; called by one goroutine at a time for a base
	report func(error)                                  // gets why hosts are left, nil if none is; under mu

	mu      sync.Mutex
	left    map[string]*leftHost
	ctx     context.Context // ends with close
	stop    context.CancelFunc
	running sync.WaitGroup // probes
}

// leftHost is a host that failed.
type leftHost struct {
	failed  time.Time // when a call or a probe failed last
	reason  error
	probing bool
}

func newHosts(bases []string, probe func(context.Context, string) error, report func(error)) *hosts {
	h := &hosts{probe: probe, report: report, left: map[string]*leftHost{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	for _, base := range bases {
		h.bases = append(h.bases, strings.TrimRight(base, "/"))
	}
	return h
}

// pickHost returns the first host that is not left, or, if all are, the one whose last failure is the oldest. It has the left
// ones probed that are due.
func (h *hosts) pickHost() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := h.bases[0]
	for _, base := range h.bases {
		l := h.left[base]
		if l == nil {
			return base
		}
		h.startProbe(base, l)
		if l.failed.Before(h.left[oldest].failed) {
			oldest = base
		}
	}
	return oldest
}

// startProbe probes a left host in the background, if that is due. The caller holds mu.
func (h *hosts) startProbe(base string, l *leftHost) {
	if len(h.bases) == 1 || l.probing || time.Since(l.failed) < leaveFor || h.ctx.Err() != nil {
		return
	}
	l.probing = true
	h.running.Go(func() {
		ctx, cancel := context.WithTimeout(h.ctx, callTimeout)
		defer cancel()
		err := h.probe(ctx, base)
		if err == nil {
			h.markWorking(base)
		} else {
			h.markFailed(base, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		l.probing = false
	})
}

// markFailed has calls leave a host that failed. The reason is logged.
func (h *hosts) markFailed(base string, reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.left[base]
	if l == nil {
		l = &leftHost{}
		h.left[base] = l
	}
	l.failed, l.reason = time.Now(), reason
	h.report(fmt.Errorf("%s: %w", base, reason))
}

// markWorking ends the leaving of a host.
func (h *hosts) markWorking(base string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left[base] == nil {
		return
	}
	delete(h.left, base)
	for _, other := range h.bases {
		if l := h.left[other]; l != nil {
			h.report(fmt.Errorf("%s: %w", other, l.reason))
			return
		}
	}
	h.report(nil)
}

// close ends the probes that run, and begins no more.
func (h *hosts) close() {
	h.mu.Lock()
	h.stop()
	h.mu.Unlock()
	h.running.Wait()
}
