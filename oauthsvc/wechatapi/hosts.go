package wechatapi

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// leaveFor is how long after a failure a host is not used before it is probed, and the time between probes.
const leaveFor = 30 * time.Second

// hosts are the hosts of WeChat's API, by base URL, the preferred one first. After a failure calls go to the next host until a
// probe says that the host works again: while another host works, no user's call is the first to try. It is safe for
// concurrent use.
type hosts struct {
	bases  []string
	probe  func(ctx context.Context, base string) error // returns nil if the host works; a base has one probe at a time
	report func(error)                                  // called with the reason why a host is left, or nil if none is; under mu

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

// pickHost returns the first host that is not left, or if all are, the one with the oldest failure. It starts the probes that
// are due.
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

// startProbe probes a left host in the background if that is due. The caller holds mu.
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

// markFailed makes calls leave a host. The reason is logged.
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

// markWorking makes calls use a host again.
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

// close ends running probes, and starts no more.
func (h *hosts) close() {
	h.mu.Lock()
	h.stop()
	h.mu.Unlock()
	h.running.Wait()
}
