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

// The range of latencies in microseconds. A message takes less than a minute.
const (
	leastLatency = int64(1)
	mostLatency  = int64(time.Minute / time.Microsecond)
)

const (
	maxDetails = 5   // details kept per failure
	maxDetail  = 300 // bytes per detail
)

// runMeter counts the outcomes of messages. It is safe for concurrent use, and its memory does not grow with the messages.
type runMeter struct {
	mu       sync.Mutex
	messages int64 // with a known outcome, duplicates included
	failed   int64
	late     int64
	answers  map[string]int64
	failures map[string]*Failure
	latency  *hdrhistogram.Histogram
	behind   *hdrhistogram.Histogram
	width    time.Duration // width of a window
	windows  []meterWindow // by the time at which messages were due
	last     time.Duration // time of the last answer since the beginning

	recent        *hdrhistogram.Histogram // latencies since the last call of Progress
	recentAnswers int64
}

// meterWindow is a period of the run.
type meterWindow struct {
	latency          *hdrhistogram.Histogram // nil: no message was due in it
	messages, failed int64
}

func newMeter(duration time.Duration, rate float64) *runMeter {
	width := windowWidth(duration, rate)
	return &runMeter{
		answers: map[string]int64{}, failures: map[string]*Failure{},
		latency: newHistogram(3), behind: newHistogram(2), recent: newHistogram(2),
		width: width, windows: make([]meterWindow, (duration+width-1)/width),
	}
}

func newHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(leastLatency, mostLatency, digits)
}

// windowWidth returns a round time that divides the duration into at most 300 windows of at least 20 messages each.
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

func inMicroseconds(d time.Duration) int64 {
	return min(max(d.Microseconds(), leastLatency), mostLatency)
}

// recordDelay records the generator's own delay in sending, without the waiting for free slots.
func (m *runMeter) recordDelay(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.behind.RecordValue(inMicroseconds(d)) // always in range
}

// recordOutcome counts the outcome of a message; due is its due time since the beginning.
func (m *runMeter) recordOutcome(due, latency time.Duration, o sendOutcome) {
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
		m.addFailure(o)
	}
	if !countsAsLatency(o.failure) {
		return
	}
	if latency >= patience {
		m.late++
	}
	if w.latency == nil {
		w.latency = newHistogram(2)
	}
	for _, h := range []*hdrhistogram.Histogram{m.latency, m.recent, w.latency} {
		_ = h.RecordValue(inMicroseconds(latency)) // always in range
	}
	if o.failure != timeout && o.failure != notSent {
		m.last = max(m.last, due+latency)
		m.recentAnswers++
	}
}

// addFailure counts a failure. The caller holds mu.
func (m *runMeter) addFailure(o sendOutcome) {
	f := m.failures[o.failure]
	if f == nil {
		f = &Failure{Kind: o.failure}
		m.failures[o.failure] = f
	}
	f.Count++
	if detail := clipDetail(oneLine(o.detail)); len(f.Details) < maxDetails && detail != "" && !slices.Contains(f.Details, detail) {
		f.Details = append(f.Details, detail)
	}
}

// clipDetail shortens a text from outside.
func clipDetail(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	end := maxDetail
	for s[end]&0xC0 == 0x80 { // not inside a character
		end--
	}
	return s[:end] + "…"
}

// oneLine replaces all characters of a text from outside that could control a terminal or break a column.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// Progress is the state of a run.
type Progress struct {
	Elapsed, Duration time.Duration
	Messages, Failed  int64 // with a known outcome, duplicates included
	InFlight          int
	Answers           int64         // in the last second
	P50, P99, Max     time.Duration // latencies in the last second, or 0
}

// String returns a line for people; the latencies are those of the last second.
func (p Progress) String() string {
	return fmt.Sprintf("%.0f/%.0f s: %d done, %d failed, %d in flight; %d/s, p50 %s, p99 %s, max %s",
		p.Elapsed.Seconds(), p.Duration.Seconds(), p.Messages, p.Failed, p.InFlight, p.Answers,
		inMS(toMS(p.P50.Microseconds())), inMS(toMS(p.P99.Microseconds())), inMS(toMS(p.Max.Microseconds())))
}

// takeProgress returns the meter's part of a Progress, and begins a new second.
func (m *runMeter) takeProgress() Progress {
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

// watchProgress reports the progress every second until stop is called.
func (g *Generator) watchProgress() (stop func()) {
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
			p := g.meter.takeProgress()
			p.Elapsed, p.Duration, p.InFlight = time.Since(g.began), g.cfg.Duration, len(g.slots)
			g.cfg.Progress(p)
		}
	})
	return func() {
		close(done)
		watching.Wait()
	}
}
