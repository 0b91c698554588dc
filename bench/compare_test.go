package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{9, 1, 4, 2}, 3},
		{[]float64{5, 9, 1, 4, 2}, 4},
	} {
		given := append([]float64(nil), tt.values...)
		if got := median(tt.values); got != tt.want {
			t.Errorf("%v: got %v; want %v", given, got, tt.want)
		}
		if diff := cmp.Diff(given, tt.values); diff != "" {
			t.Errorf("the rounds are in another order now:\n%s", diff)
		}
	}
}

// TestSum: the ratio is of the medians, and the least and the most are of rounds that belong together.
func TestSum(t *testing.T) {
	got := Row{A: []float64{30, 10, 20}, B: []float64{10, 20, 5}}
	got.setRatios()
	if diff := cmp.Diff(Row{A: []float64{30, 10, 20}, B: []float64{10, 20, 5}, Ratio: 2, Least: 0.5, Most: 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// sideOf is a side whose system is an endpoint that echoes.
func sideOf(t *testing.T, name string, m *messageMemory) (comparedSide, *processGroup) {
	t.Helper()
	s := &processGroup{target: listen(t, accountsOf(t), echo).callbackTarget, memory: m}
	return comparedSide{name, func(context.Context) (*processGroup, error) { return s, nil }}, s
}

// TestCompare: both sides are warmed, and measured in turn.
func TestCompare(t *testing.T) {
	m := &messageMemory{want: 50, least: 40, given: []givenAnswers{{time.Now(), 50}}}
	a, first := sideOf(t, "case", m)
	b, second := sideOf(t, "of", nil)
	var order []string
	values := []float64{4, 1, 6, 2, 5, 3}
	c := comparedPair{a, b, 1.5, "µs", func(_ context.Context, s *processGroup, lasts time.Duration) (float64, error) {
		if first.target.numbers.Load() < connections || second.target.numbers.Load() < connections {
			t.Error("measured before both were warm")
		}
		if lasts != time.Minute {
			t.Errorf("measured for %v; want a minute", lasts)
		}
		order = append(order, map[*processGroup]string{first: "A", second: "B"}[s])
		return values[len(order)-1], nil
	}}
	got, err := c.measureSides(t.Context(), runPlan{rounds: 3, round: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	want := Row{
		Case: "case, 40 of 50 messages remembered", Of: "of", Limit: 1.5, Unit: "µs",
		A: []float64{4, 6, 5}, B: []float64{1, 2, 3}, Ratio: 2.5, Least: 5.0 / 3, Most: 4,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := strings.Join(order, ""); got != "ABABAB" {
		t.Errorf("measured %s; want ABABAB", got)
	}
}

// TestCompareFails: what fails says where; a system that was built in part is stopped.
func TestCompareFails(t *testing.T) {
	good, _ := sideOf(t, "case", nil)
	half := &processGroup{}
	for name, c := range map[string]comparedPair{
		"is not built": {a: good, b: comparedSide{"of", func(context.Context) (*processGroup, error) {
			p := sh(t, "exec sleep 600")
			half.processes = append(half.processes, p)
			return half, errors.New("no reason")
		}}},
		"is not measured": {a: good, b: comparedSide{"of", good.build}, measure: func(context.Context, *processGroup, time.Duration) (float64, error) {
			return 0, errors.New("no reason")
		}},
	} {
		if _, err := c.measureSides(t.Context(), runPlan{rounds: 1}); err == nil || err.Error() != "case, of: no reason" {
			t.Errorf("%s: got %v; want %q", name, err, "case, of: no reason")
		}
	}
	for _, p := range half.processes {
		select {
		case <-p.done:
		default:
			t.Error("a process is left")
		}
	}
}

// TestCost: the memory is told what was answered, and keeps the least that was remembered.
func TestCost(t *testing.T) {
	m := &messageMemory{want: 1000, least: 1000, given: []givenAnswers{{time.Now().Add(-rememberFor), 500}}}
	_, s := sideOf(t, "case", m)
	got, err := new(benchRun).cpuCost(t.Context(), s, 0)
	if err != nil || got != 0 { // no process, no time
		t.Errorf("got %v, %v; want 0", got, err)
	}
	if m.least != connections || m.countRemembered(time.Now()) != connections {
		t.Errorf("got %d remembered, %d at least; want %d of both, what is a minute old is forgotten", m.countRemembered(time.Now()), m.least, connections)
	}
}

// TestP99: the rate is half of what the system answered that was measured first.
func TestP99(t *testing.T) {
	e := listen(t, accountsOf(t), echo)
	s, b := &processGroup{target: e.callbackTarget}, new(benchRun)
	if _, err := b.p99Latency(t.Context(), s, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	first, highest := e.answered.Load(), b.highest
	if highest == 0 || b.late == 0 {
		t.Errorf("got %v messages a second, %v late; want both known", highest, b.late)
	}
	got, err := b.p99Latency(t.Context(), s, 50*time.Millisecond)
	if err != nil || got <= 0 {
		t.Errorf("got %v, %v; want a latency", got, err)
	}
	if n := e.answered.Load() - first; b.highest != highest || n != int64(highest/2*0.05) {
		t.Errorf("got %d messages, highest %v; want %v, %v", n, b.highest, int64(highest/2*0.05), highest)
	}
	if _, err := b.p99Latency(t.Context(), s, 0); err == nil || err.Error() != "nothing was sent" {
		t.Errorf("got %v; want that nothing was sent", err)
	}
}
