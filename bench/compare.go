package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// runPlan is the extent of a run.
type runPlan struct {
	rounds int
	round  time.Duration // of one side
	warm   time.Duration // before the first round
	only   string        // only comparisons with this text in their case's name; "": all, and the figures of single processes
	large  largeSize
	starts int           // starts per process
	idle   time.Duration // before its memory is measured
}

// comparedSide is one of the two systems of a comparison.
type comparedSide struct {
	name  string
	build func(context.Context) (*processGroup, error)
}

// measureFunc returns a figure of a system, measured in a round of the length lasts.
type measureFunc func(ctx context.Context, s *processGroup, lasts time.Duration) (float64, error)

// comparedPair is a row of the table: two sides, and the limit of their ratio.
type comparedPair struct {
	a, b    comparedSide
	limit   float64 // 0: no limit
	unit    string
	measure measureFunc
}

// Row is the result of a comparison.
type Row struct {
	Case  string    `json:"case"`
	Of    string    `json:"of"`
	Limit float64   `json:"limit,omitempty"` // 0: no limit
	Unit  string    `json:"unit"`
	A     []float64 `json:"case_rounds"`
	B     []float64 `json:"of_rounds"`
	Ratio float64   `json:"ratio"` // of the medians
	Least float64   `json:"ratio_least"`
	Most  float64   `json:"ratio_most"`
}

// measureSides measures both sides in turn.
func (c comparedPair) measureSides(ctx context.Context, p runPlan) (row Row, err error) {
	row = Row{Case: c.a.name, Of: c.b.name, Limit: c.limit, Unit: c.unit}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %s: %w", c.a.name, c.b.name, err)
		}
	}()
	var both [2]*processGroup
	for i, side := range []comparedSide{c.a, c.b} {
		s, err := side.build(ctx)
		if s != nil {
			defer s.stop()
		}
		if err != nil {
			return row, err
		}
		both[i] = s
		if _, err := s.target.sendClosed(ctx, p.warm); err != nil {
			return row, err
		}
	}
	for range p.rounds {
		for i, into := range []*[]float64{&row.A, &row.B} {
			value, err := c.measureRound(ctx, both[i], p.round)
			if err != nil {
				return row, err
			}
			*into = append(*into, value)
		}
	}
	row.setRatios()
	if m := both[0].memory; m != nil {
		row.Case += fmt.Sprintf(", %d of %d messages remembered", m.least, m.want)
	}
	return row, nil
}

func (c comparedPair) measureRound(ctx context.Context, s *processGroup, lasts time.Duration) (float64, error) {
	if s.memory != nil {
		if err := s.memory.fillUp(ctx, s); err != nil {
			return 0, err
		}
	}
	s.clearLogs()
	return c.measure(ctx, s, lasts)
}

// setRatios computes the ratios.
func (r *Row) setRatios() {
	r.Ratio = median(r.A) / median(r.B)
	ratios := make([]float64, len(r.A))
	for i := range r.A {
		ratios[i] = r.A[i] / r.B[i]
	}
	r.Least, r.Most = slices.Min(ratios), slices.Max(ratios)
}

// median returns the middle value, or the mean of the two middle values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// benchRun is a run of all comparisons.
type benchRun struct {
	*systemBuilder
	runPlan
	highest float64       // messages per second of serve, with all connections busy; 0: not measured yet
	late    time.Duration // the p99 of this process's own delay in sending, in the worst round
}

// cpuCost measures the CPU time of a callback, in µs, with all connections busy.
func (b *benchRun) cpuCost(ctx context.Context, s *processGroup, lasts time.Duration) (float64, error) {
	before, err := s.cpuTime()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	answered, err := s.target.sendClosed(ctx, lasts)
	if err != nil {
		return 0, err
	}
	after, err := s.cpuTime()
	if err != nil {
		return 0, err
	}
	if m := s.memory; m != nil {
		m.addAnswers(began, answered)
		m.least = min(m.least, m.countRemembered(time.Now()))
	}
	return (after - before).Seconds() * 1e6 / float64(answered), nil
}

// p99Latency measures the 99th percentile of the latencies, in ms, at half of the highest rate of the first system that it
// measures, which is serve.
func (b *benchRun) p99Latency(ctx context.Context, s *processGroup, lasts time.Duration) (float64, error) {
	if b.highest == 0 {
		answered, err := s.target.sendClosed(ctx, lasts)
		if err != nil {
			return 0, err
		}
		b.highest = float64(answered) / lasts.Seconds()
	}
	latencies, late, err := s.target.sendOpen(ctx, b.highest/2, lasts)
	if err != nil {
		return 0, err
	}
	if len(latencies) == 0 {
		return 0, errors.New("nothing was sent")
	}
	b.late = max(b.late, late[len(late)*99/100])
	return latencies[len(latencies)*99/100].Seconds() * 1e3, nil
}
