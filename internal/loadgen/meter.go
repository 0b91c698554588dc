package loadgen

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in microseconds, up to a minute, which is more than a message can take.
const (
	leastLatency = int64(1)
	mostLatency  = int64(time.Minute / time.Microsecond)
)

const (
	maxDetails = 5   // how many of a failure are kept in words
	maxDetail  = 300 // bytes of each
)

// meter counts what came of the messages. It is safe for concurrent use, and its memory does not grow with the messages.
type meter struct {
	mu       sync.Mutex
	messages int64 // of which is known what came, duplicates too
	failed   int64
	late     int64
	answers  map[string]int64
	failures map[string]*Failure
	latency  *hdrhistogram.Histogram
	behind   *hdrhistogram.Histogram
	width    time.Duration // of a window
	windows  []window      // by the time at which messages were due
	last     time.Duration // when the last answer came, from the beginning

	recent        *hdrhistogram.Histogram // since the last second
	recentAnswers int64
}

// window is a stretch of the run.
type window struct {
	latency          *hdrhistogram.Histogram // nil: nothing was due in it
	messages, failed int64
}

func newMeter(duration time.Duration, rate float64) *meter {
	width := windowWidth(duration, rate)
	return &meter{
		answers: map[string]int64{}, failures: map[string]*Failure{},
		latency: newHistogram(3), behind: newHistogram(2), recent: newHistogram(2),
		width: width, windows: make([]window, (duration+width-1)/width),
	}
}

func newHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(leastLatency, mostLatency, digits)
}

// windowWidth returns a round time that cuts the duration into 300 windows at most, with 20 messages at least in each.
func windowWidth(duration time.Duration, rate float64) time.Duration {
	least := max(duration/300, min(duration, time.Duration(20/rate*float64(time.Second))))
	for _, unit := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, 100 * time.Second} {
		for _, width := range []time.Duration{unit, 2 * unit, 5 * unit} {
			if width >= least {
				return width
			}
		}
	}
	return least
}

func microseconds(d time.Duration) int64 {
	return min(max(d.Microseconds(), leastLatency), mostLatency)
}

// sentBehind notes how late this machine was itself, without what it had to wait for requests in flight.
func (m *meter) sentBehind(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.behind.RecordValue(microseconds(d)) // is in its range
}

// record counts what came of a message that was due so long after the beginning.
func (m *meter) record(due, latency time.Duration, o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &m.windows[min(int(due/m.width), len(m.windows)-1)]
	m.messages++
	w.messages++
	if o.answer != "" {
		m.answers[o.answer]++
	}
	if o.failure != "" {
		m.failed++
		w.failed++
		m.fail(o)
	}
	if !timed(o.failure) {
		return
	}
	if latency >= patience {
		m.late++
	}
	if w.latency == nil {
		w.latency = newHistogram(2)
	}
	for _, h := range []*hdrhistogram.Histogram{m.latency, m.recent, w.latency} {
		_ = h.RecordValue(microseconds(latency)) // is in its range
	}
	if o.failure != timeout && o.failure != notSent {
		m.last = max(m.last, due+latency)
		m.recentAnswers++
	}
}

// fail notes a failure; the caller holds mu.
func (m *meter) fail(o outcome) {
	f := m.failures[o.failure]
	if f == nil {
		f = &Failure{Kind: o.failure}
		m.failures[o.failure] = f
	}
	f.Count++
	if detail := clip(oneLine(o.detail)); len(f.Details) < maxDetails && detail != "" && !slices.Contains(f.Details, detail) {
		f.Details = append(f.Details, detail)
	}
}

// clip shortens what others may have written.
func clip(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	end := maxDetail
	for s[end]&0xC0 == 0x80 { // not inside a character
		end--
	}
	return s[:end] + "…"
}

// oneLine keeps what others wrote from steering a terminal, columns or a page.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// Progress is how far a run is.
type Progress struct {
	Elapsed, Duration time.Duration
	Messages, Failed  int64 // of which is known what came, duplicates too
	InFlight          int
	Answers           int64         // in the last second
	P50, P99, Max     time.Duration // latencies in the last second, 0 where there are none
}

// String is a line for a person; the latencies are the last second's.
func (p Progress) String() string {
	return fmt.Sprintf("%.0f/%.0f s: %d done, %d failed, %d in flight; %d/s, p50 %s, p99 %s, max %s",
		p.Elapsed.Seconds(), p.Duration.Seconds(), p.Messages, p.Failed, p.InFlight, p.Answers,
		inMS(ms(p.P50.Microseconds())), inMS(ms(p.P99.Microseconds())), inMS(ms(p.Max.Microseconds())))
}

// progress returns what the meter knows of a Progress, and begins a new second.
func (m *meter) progress() Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := func(percent float64) time.Duration {
		return time.Duration(m.recent.ValueAtQuantile(percent)) * time.Microsecond
	}
	p := Progress{Messages: m.messages, Failed: m.failed, Answers: m.recentAnswers, P50: at(50), P99: at(99), Max: at(100)}
	m.recent.Reset()
	m.recentAnswers = 0
	return p
}

// watch tells of the progress every second until it is stopped.
func (g *Generator) watch() (stop func()) {
	if g.cfg.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			p := g.meter.progress()
			p.Elapsed, p.Duration, p.InFlight = time.Since(g.began), g.cfg.Duration, len(g.slots)
			g.cfg.Progress(p)
		}
	})
	return func() {
		close(done)
		watching.Wait()
	}
}
