package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// plan is how much a run does.
type plan struct {
	rounds int
	round  time.Duration // of one side
	warm   time.Duration // before the first round
	only   string        // comparisons whose case has this in its name, and no other figures; "": all
	large  size
	starts int           // how often a process is started
	idle   time.Duration // before its memory is looked at
}

// side is one of the two systems of a comparison.
type side struct {
	name  string
	build func(context.Context) (*system, error)
}

// measure returns what a system costs, after a round of so long.
type measure func(ctx context.Context, s *system, lasts time.Duration) (float64, error)

// comparison is a row of the table: a side, what it is compared with, and the most that the ratio should be.
type comparison struct {
	a, b    side
	limit   float64 // 0: there is none
	unit    string
	measure measure
}

// Row is what came of a comparison.
type Row struct {
	Case  string    `json:"case"`
	Of    string    `json:"of"`
	Limit float64   `json:"limit,omitempty"` // 0: there is none
	Unit  string    `json:"unit"`
	A     []float64 `json:"case_rounds"`
	B     []float64 `json:"of_rounds"`
	Ratio float64   `json:"ratio"` // of the medians
	Least float64   `json:"ratio_least"`
	Most  float64   `json:"ratio_most"`
}

// run measures both sides in turn.
func (c comparison) run(ctx context.Context, p plan) (row Row, err error) {
	row = Row{Case: c.a.name, Of: c.b.name, Limit: c.limit, Unit: c.unit}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %s: %w", c.a.name, c.b.name, err)
		}
	}()
	var both [2]*system
	for i, side := range []side{c.a, c.b} {
		s, err := side.build(ctx)
		if s != nil {
			defer s.stop()
		}
		if err != nil {
			return row, err
		}
		both[i] = s
		if _, err := s.target.closed(ctx, p.warm); err != nil {
			return row, err
		}
	}
	for range p.rounds {
		for i, into := range []*[]float64{&row.A, &row.B} {
			value, err := c.round(ctx, both[i], p.round)
			if err != nil {
				return row, err
			}
			*into = append(*into, value)
		}
	}
	row.sum()
	if m := both[0].memory; m != nil {
		row.Case += fmt.Sprintf(", %d of %d messages remembered", m.least, m.want)
	}
	return row, nil
}

func (c comparison) round(ctx context.Context, s *system, lasts time.Duration) (float64, error) {
	if s.memory != nil {
		if err := s.memory.fill(ctx, s); err != nil {
			return 0, err
		}
	}
	s.clearLogs()
	return c.measure(ctx, s, lasts)
}

// sum works out the ratios.
func (r *Row) sum() {
	r.Ratio = median(r.A) / median(r.B)
	ratios := make([]float64, len(r.A))
	for i := range r.A {
		ratios[i] = r.A[i] / r.B[i]
	}
	r.Least, r.Most = slices.Min(ratios), slices.Max(ratios)
}

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// bench is a run.
type bench struct {
	*builder
	plan
	highest float64       // messages a second that serve answered, with all connections busy; 0: not known yet
	late    time.Duration // what one message of a hundred was sent late by this process itself, in the worst round
}

// cost measures the CPU time of a callback, in µs, with all connections busy.
func (b *bench) cost(ctx context.Context, s *system, lasts time.Duration) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	answered, err := s.target.closed(ctx, lasts)
	if err != nil {
		return 0, err
	}
	after, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if m := s.memory; m != nil {
		m.add(began, answered)
		m.least = min(m.least, m.remembered(time.Now()))
	}
	return (after - before).Seconds() * 1e6 / float64(answered), nil
}

// p99 measures the latency that one message of a hundred is above, in ms, at half of the highest rate of the system that it
// measures first, which is serve.
func (b *bench) p99(ctx context.Context, s *system, lasts time.Duration) (float64, error) {
	if b.highest == 0 {
		answered, err := s.target.closed(ctx, lasts)
		if err != nil {
			return 0, err
		}
		b.highest = float64(answered) / lasts.Seconds()
	}
	latencies, late, err := s.target.open(ctx, b.highest/2, lasts)
	if err != nil {
		return 0, err
	}
	if len(latencies) == 0 {
		return 0, errors.New("nothing was sent")
	}
	b.late = max(b.late, late[len(late)*99/100])
	return latencies[len(latencies)*99/100].Seconds() * 1e3, nil
}
