package loadgen

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostile is what a gateway may have us write.
const hostile = "<script>alert(1)</script>\x1b[2J\n]]>&\"'\u202e"

// filled returns a report on 1000 messages that took 1 ms to 1000 ms, 10 of which failed.
func filled(t *testing.T) *Report {
	t.Helper()
	g, err := New(config("http://127.0.0.1:8000/a?b=<secret>"))
	if err != nil {
		t.Fatal(err)
	}
	g.began = time.Unix(1767225600, 0)
	for i := range 1000 {
		o := sendOutcome{answer: "text"}
		if i%100 == 99 {
			o = sendOutcome{failure: badAnswer, detail: hostile}
		}
		g.meter.recordOutcome(time.Duration(i)*time.Millisecond, time.Duration(i+1)*time.Millisecond, o)
	}
	g.meter.recordOutcome(0, 0, sendOutcome{failure: refused, detail: "connection refused"})
	g.meter.recordOutcome(999*time.Millisecond, 6*time.Second, sendOutcome{failure: timeout})
	return g.makeReport(time.Second, false)
}

func TestReport(t *testing.T) {
	r := filled(t)
	near := func(name string, got, want float64) {
		if got < want*0.995 || got > want*1.005 {
			t.Errorf("%s %v, want %v", name, got, want)
		}
	}
	near("p50", r.Latency.P50, 501)
	near("p90", r.Latency.P90, 901)
	near("p99", r.Latency.P99, 991)
	near("p99.9", r.Latency.P999, 1000)
	near("max", r.Latency.Max, 6000)
	if r.Latency.Count != 1001 || r.Messages != 1002 || r.Accepted != 990 || r.Failed != 12 || r.Late != 1 {
		t.Errorf("report %+v", r)
	}
	near("throughput", r.Throughput, 990/1.999) // the last answer came a second after the last message was due
	kinds := []string{}
	for _, f := range r.Failures {
		kinds = append(kinds, f.Kind)
	}
	if diff := cmp.Diff([]string{badAnswer, refused, timeout}, kinds); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	total := int64(0)
	for _, w := range r.Windows {
		total += w.Messages
		if w.P50 > w.P99 || w.P99 > w.Max {
			t.Errorf("window %+v", w)
		}
	}
	if len(r.Windows) != 10 || total != 1002 {
		t.Errorf("%d windows with %d messages", len(r.Windows), total)
	}
	last := Percentile{}
	for _, p := range r.Percentiles {
		if p.Percent < last.Percent || p.MS < last.MS {
			t.Errorf("the curve falls: %+v after %+v", p, last)
		}
		last = p
	}
	if last.Percent != 100 || len(r.Percentiles) != 32 {
		t.Errorf("the curve has %d points and ends with %+v", len(r.Percentiles), last)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := filled(t).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	keys := func(v any) []string { return slices.Sorted(maps.Keys(v.(map[string]any))) }
	first := func(name string) any { return got[name].([]any)[0] }
	for _, c := range []struct {
		of   any
		want string
	}{
		{got, "accepted answers began behind duplicates failed failures interrupted late latency messages mix mode percentiles rate seconds throughput url users windows"},
		{got["latency"], "count max_ms p50_ms p90_ms p99_99_ms p99_9_ms p99_ms"},
		{first("failures"), "count details kind"},
		{first("percentiles"), "ms percent"},
		{first("windows"), "failed from_s max_ms messages p50_ms p99_ms to_s"},
	} {
		if diff := cmp.Diff(strings.Fields(c.want), keys(c.of)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if got["url"] != "http://127.0.0.1:8000/a" || got["messages"] != 1002.0 || strings.Contains(b.String(), "secret") {
		t.Errorf("url %v, messages %v", got["url"], got["messages"])
	}
	if strings.Contains(b.String(), "null") {
		t.Error("a list is null")
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := filled(t).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http://127.0.0.1:8000/a, plain mode", "messages     1002, of them duplicates 0\n", "  p99.99", "  max     6001 ms", "refused by WeChat   10\n", "connection refused  1\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Errorf("what others wrote steers the terminal: %q", b.String())
	}
}

// wellFormed reads a page as XML and returns its elements' names and attributes.
func wellFormed(t *testing.T, page []byte) (elements, attributes map[string]int, text string) {
	t.Helper()
	elements, attributes = map[string]int{}, map[string]int{}
	var words strings.Builder
	d := xml.NewDecoder(bytes.NewReader(page))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, attributes, words.String()
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local]++
			for _, a := range token.Attr {
				attributes[a.Name.Local]++
			}
		case xml.CharData:
			words.Write(token)
		}
	}
}

func TestHTML(t *testing.T) {
	page := func(r *Report) []byte {
		var b bytes.Buffer
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	r := filled(t)
	r.URL = `http://127.0.0.1/"><img onerror="x">`
	b := page(r)
	elements, attributes, text := wellFormed(t, b)
	if elements["svg"] != 2 || elements["polyline"] != 4 || elements["script"] != 0 || elements["img"] != 0 || elements["link"] != 0 {
		t.Errorf("elements %v", elements)
	}
	for _, outside := range []string{"src", "href", "onerror", "action"} {
		if attributes[outside] != 0 {
			t.Errorf("the page has %d attributes %s", attributes[outside], outside)
		}
	}
	for _, want := range []string{"<script>alert(1)</script>", `"><img onerror="x">`, "12 of 1002 failed", "5 s: WeChat hangs up", "99.9 %", "Red: the share of messages that failed."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if bytes.Contains(b, []byte("url(")) || bytes.Contains(b, []byte("NaN")) || bytes.Contains(b, []byte("Inf")) || bytes.Contains(b, []byte("ZgotmplZ")) {
		t.Errorf("the page:\n%s", b)
	}

	g, err := New(config("http://127.0.0.1:8000/"))
	if err != nil {
		t.Fatal(err)
	}
	empty := page(g.makeReport(0, true)) // interrupted before anything was sent
	if elements, _, _ := wellFormed(t, empty); elements["polyline"] != 0 || bytes.Contains(empty, []byte("NaN")) || bytes.Contains(empty, []byte("Inf")) {
		t.Errorf("the page of nothing:\n%s", empty)
	}
}

func TestWindowWidth(t *testing.T) {
	for _, c := range []struct {
		duration time.Duration
		rate     float64
		want     time.Duration
	}{
		{time.Minute, 2000, 200 * time.Millisecond},
		{20 * time.Second, 500, 100 * time.Millisecond},
		{time.Hour, 2000, 20 * time.Second},
		{24 * time.Hour, 2000, 500 * time.Second},
		{time.Minute, 1, 20 * time.Second},
		{time.Second, 1, time.Second},
	} {
		if got := windowWidth(c.duration, c.rate); got != c.want {
			t.Errorf("%s at %v/s: %s, want %s", c.duration, c.rate, got, c.want)
		}
	}
}

func TestProgressString(t *testing.T) {
	p := Progress{Elapsed: 3 * time.Second, Duration: time.Minute, Messages: 6000, Failed: 2, InFlight: 12, Answers: 2000, P50: 612 * time.Microsecond, P99: 12300 * time.Microsecond, Max: time.Second}
	if got, want := p.String(), "3/60 s: 6000 done, 2 failed, 12 in flight; 2000/s, p50 0.61 ms, p99 12.3 ms, max 1000 ms"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each line of progress has its own second.
func TestProgress(t *testing.T) {
	m := newMeter(time.Second, 100)
	m.recordOutcome(0, 20*time.Millisecond, sendOutcome{answer: "text"})
	m.recordOutcome(0, 5*time.Second, sendOutcome{failure: timeout})
	p := m.takeProgress()
	if p.Messages != 2 || p.Failed != 1 || p.Answers != 1 || p.P50.Round(time.Millisecond) != 20*time.Millisecond || p.Max < 4900*time.Millisecond {
		t.Errorf("got %+v", p)
	}
	if diff := cmp.Diff(Progress{Messages: 2, Failed: 1}, m.takeProgress()); diff != "" {
		t.Errorf("the next second (-want +got):\n%s", diff)
	}
}
