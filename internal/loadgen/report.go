package loadgen

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the result of a run. Latencies are in milliseconds from a message's due time to the end of its answer, including
// answers that WeChat would reject. A timeout counts with the time waited; a failed connection does not count.
type Report struct {
	URL         string    `json:"url"` // without the query
	Mode        string    `json:"mode"`
	Rate        float64   `json:"rate"` // messages per second, as configured
	Seconds     float64   `json:"seconds"`
	Users       int       `json:"users"`
	Mix         string    `json:"mix"`
	Began       time.Time `json:"began"`
	Interrupted bool      `json:"interrupted"`

	Messages   int64            `json:"messages"`   // messages that were due, duplicates included
	Duplicates int64            `json:"duplicates"` // of these, second copies
	Accepted   int64            `json:"accepted"`
	Failed     int64            `json:"failed"`
	Late       int64            `json:"late"`       // without an answer 5 s after their due time
	Throughput float64          `json:"throughput"` // accepted messages per second, until the last answer
	Answers    map[string]int64 `json:"answers"`    // accepted answers by MsgType; "success": an empty reply
	Failures   []Failure        `json:"failures"`   // the most frequent first

	Latency Latency `json:"latency"`
	Behind  Latency `json:"behind"` // the generator's own delay in sending

	Percentiles []Percentile   `json:"percentiles"`
	Windows     []ReportWindow `json:"windows"`
}

// Failure is one kind of failure.
type Failure struct {
	Kind    string   `json:"kind"`
	Count   int64    `json:"count"`
	Details []string `json:"details,omitempty"` // the first distinct ones
}

// Latency summarizes a histogram, in milliseconds; 0 if nothing was measured.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p99_9_ms"`
	P9999 float64 `json:"p99_99_ms"`
	Max   float64 `json:"max_ms"`
}

// Percentile is a point of the latency curve: Percent of the messages took at most MS.
type Percentile struct {
	Percent float64 `json:"percent"`
	MS      float64 `json:"ms"`
}

// ReportWindow is a period of the run, by the due times of messages.
type ReportWindow struct {
	From     float64 `json:"from_s"`
	To       float64 `json:"to_s"`
	Messages int64   `json:"messages"`
	Failed   int64   `json:"failed"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// makeReport summarizes a run with due times within period.
func (g *Generator) makeReport(period time.Duration, interrupted bool) *Report {
	m := g.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &Report{
		URL: withoutQuery(g.cfg.URL), Mode: string(g.mode), Rate: g.cfg.Rate, Seconds: period.Seconds(), Users: g.cfg.Users,
		Mix: g.writer.mix.String(), Began: g.began, Interrupted: interrupted,
		Messages: m.messages, Duplicates: g.duplicates, Accepted: m.messages - m.failed, Failed: m.failed, Late: m.late,
		Answers: m.answers, Failures: []Failure{}, Latency: latencyOf(m.latency), Behind: latencyOf(m.behind),
		Percentiles: percentileCurve(m.latency), Windows: []ReportWindow{},
	}
	if took := max(period, m.last).Seconds(); took > 0 {
		r.Throughput = float64(r.Accepted) / took
	}
	for _, f := range m.failures {
		r.Failures = append(r.Failures, *f)
	}
	slices.SortFunc(r.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Kind, b.Kind))
	})
	for i, w := range m.windows {
		from := time.Duration(i) * m.width
		if from >= period {
			break
		}
		row := ReportWindow{From: from.Seconds(), To: min(from+m.width, period).Seconds(), Messages: w.messages, Failed: w.failed}
		if w.latency != nil {
			l := latencyOf(w.latency)
			row.P50, row.P99, row.Max = l.P50, l.P99, l.Max
		}
		r.Windows = append(r.Windows, row)
	}
	return r
}

// withoutQuery returns a URL without its query, which may hold secrets.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.RawQuery = ""
	return u.String()
}

func toMS(microseconds int64) float64 { return float64(microseconds) / 1000 }

func latencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(percent float64) float64 { return toMS(h.ValueAtQuantile(percent)) }
	return Latency{h.TotalCount(), at(50), at(90), at(99), at(99.9), at(99.99), at(100)}
}

// percentileCurve returns a histogram's curve: ten points for each of 90 %, 99 % and so on as far as there are values, and the
// maximum.
func percentileCurve(h *hdrhistogram.Histogram) []Percentile {
	curve := []Percentile{}
	for i := 0; ; i++ {
		above := math.Pow(10, -float64(i)/10) // the share of slower messages
		if above*float64(h.TotalCount()) < 1 {
			break
		}
		percent := 100 * (1 - above)
		curve = append(curve, Percentile{percent, toMS(h.ValueAtQuantile(percent))})
	}
	if h.TotalCount() > 0 {
		curve = append(curve, Percentile{100, toMS(h.ValueAtQuantile(100))})
	}
	return curve
}

// inMS formats milliseconds for people.
func inMS(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 100:
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

// textRow is a line of the report for people.
type textRow struct{ Name, Value string }

// textRows returns the figures of a report, without its failures.
func (r *Report) textRows() []textRow {
	answers := make([]string, 0, len(r.Answers))
	for _, kind := range slices.Sorted(maps.Keys(r.Answers)) {
		answers = append(answers, fmt.Sprintf("%s %d", kind, r.Answers[kind]))
	}
	interrupted := ""
	if r.Interrupted {
		interrupted = ", interrupted"
	}
	return []textRow{
		{"to", fmt.Sprintf("%s, %s mode", r.URL, r.Mode)},
		{"load", fmt.Sprintf("%v messages/s for %.1f s%s, %d users, %s", r.Rate, r.Seconds, interrupted, r.Users, r.Mix)},
		{"messages", fmt.Sprintf("%d, of them duplicates %d", r.Messages, r.Duplicates)},
		{"accepted", fmt.Sprintf("%d, %.1f/s", r.Accepted, r.Throughput)},
		{"answers", cmp.Or(strings.Join(answers, ", "), "none")},
		{"failed", fmt.Sprint(r.Failed)},
		{"late", fmt.Sprintf("%d without an answer 5 s after they were due", r.Late)},
		{"sent behind", fmt.Sprintf("p50 %s, p99 %s, max %s: this machine's own delay", inMS(r.Behind.P50), inMS(r.Behind.P99), inMS(r.Behind.Max))},
	}
}

// textRows returns the latencies by name.
func (l Latency) textRows() []textRow {
	return []textRow{
		{"p50", inMS(l.P50)}, {"p90", inMS(l.P90)}, {"p99", inMS(l.P99)}, {"p99.9", inMS(l.P999)}, {"p99.99", inMS(l.P9999)}, {"max", inMS(l.Max)},
	}
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.textRows() {
		fmt.Fprintf(t, "%s\t%s\n", row.Name, row.Value)
	}
	fmt.Fprintf(t, "\nlatency of %d, from when a message was due\n", r.Latency.Count)
	for _, row := range r.Latency.textRows() {
		fmt.Fprintf(t, "  %s\t%s\n", row.Name, row.Value)
	}
	if len(r.Failures) > 0 {
		fmt.Fprintf(t, "\nfailures\n")
	}
	for _, f := range r.Failures {
		fmt.Fprintf(t, "  %s\t%d\n", f.Kind, f.Count)
		for _, detail := range f.Details {
			fmt.Fprintf(t, "\t%s\n", detail)
		}
	}
	return t.Flush()
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
