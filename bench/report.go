package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is the whole table.
type Report struct {
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"round_seconds"`
	CPUs    int     `json:"cpus"`
	Highest float64 `json:"highest_per_second"` // messages that serve answered, with all connections busy
	Late    float64 `json:"late_ms"`            // what one message of a hundred was sent late by the generator, for the p99
	Rows    []Row   `json:"rows"`
	Alone   []Alone `json:"alone"`
}

// Alone is a figure that is compared with nothing.
type Alone struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
}

// comparisons returns the rows of the table.
func (b *bench) comparisons() []comparison {
	plain, bare, parts := side{"serve, plain", b.plain}, side{"bare handler", b.bareOne}, side{"its parts in one handler", b.together}
	large := side{fmt.Sprintf("serve, %d rules, %d accounts", b.plan.large.rules, b.plan.large.accounts),
		func(ctx context.Context) (*system, error) { return b.builder.large(ctx, b.plan.large) }}
	return []comparison{
		{plain, bare, 1.5, "µs", b.cost},
		{plain, parts, 0, "µs", b.cost},
		{parts, bare, 0, "µs", b.cost},
		{side{"serve, safe", b.safe}, plain, 1.3, "µs", b.cost},
		{side{"gateway and replier", b.apart}, side{"bare pair", b.barePair}, 1.2, "µs", b.cost},
		{large, plain, 1.15, "µs", b.cost},
		{side{"serve, p99", b.plain}, side{"bare handler, p99", b.bareOne}, 2, "ms", b.p99},
		{side{"serve, p99", b.plain}, side{"its parts, p99", b.together}, 0, "ms", b.p99},
		{side{"serve --data-dir", b.stored}, plain, 0, "µs", b.cost},
		{bare, side{"bare handler again", b.bareOne}, 0, "µs", b.cost},
	}
}

// named returns the comparisons whose case has a text in its name.
func named(all []comparison, text string) (chosen []comparison, err error) {
	var names []string
	for _, c := range all {
		names = append(names, c.a.name)
		if strings.Contains(c.a.name, text) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-case: %q is in no name; there are: %s", text, strings.Join(slices.Compact(names), "; "))
	}
	return chosen, nil
}

// report measures everything. said is told how far it is.
func (b *bench) report(ctx context.Context, said func(string)) (*Report, error) {
	r := &Report{Rounds: b.rounds, Seconds: b.round.Seconds(), CPUs: runtime.NumCPU()}
	chosen, err := named(b.comparisons(), b.only)
	if err != nil {
		return nil, err
	}
	for _, c := range chosen {
		row, err := c.run(ctx, b.plan)
		if err != nil {
			return nil, err
		}
		said(fmt.Sprintf("%s: %.2f × %s", row.Case, row.Ratio, row.Of))
		r.Rows = append(r.Rows, row)
	}
	r.Highest, r.Late = b.highest, b.late.Seconds()*1e3
	if b.only != "" {
		return r, nil
	}
	for _, c := range []struct {
		name   string
		args   []string
		memory float64
	}{{"serve", serveArgs("--token=" + token), 40}, {"serve --data-dir", serveArgs("--token="+token, "--data-dir="+filepath.Join(b.dir, "data")), 40}, {"gateway", gatewayArgs(), 25}} {
		ready, resident, err := b.alone(ctx, c.args)
		if err != nil {
			return nil, err
		}
		r.Alone = append(r.Alone, Alone{c.name + ", ready", ready, 200, "ms"}, Alone{c.name + ", idle", resident, c.memory, "MB"})
	}
	binary, err := os.Stat(b.wxgate)
	if err != nil {
		return nil, err
	}
	r.Alone = append(r.Alone, Alone{"binary", float64(binary.Size()) / 1e6, 30, "MB"})
	return r, nil
}

// alone returns how many ms a process takes until it is ready, the median of several, and how many MB it holds once it has
// been idle.
func (b *bench) alone(ctx context.Context, args []string) (ready, resident float64, err error) {
	var times []float64
	for i := range b.starts {
		p, err := start(b.dir, b.wxgate, args...)
		if err != nil {
			return 0, 0, err
		}
		defer p.stop()
		took, err := p.ready(ctx)
		if err != nil {
			return 0, 0, err
		}
		times = append(times, took.Seconds()*1e3)
		if i == 0 {
			time.Sleep(b.idle)
			bytes, err := p.resident()
			if err != nil {
				return 0, 0, err
			}
			resident = float64(bytes) / 1e6
		}
		p.stop()
	}
	return median(times), resident, nil
}

// write writes the table for a terminal.
func (r *Report) write(w io.Writer) error {
	fmt.Fprintf(w, "CPU time of a callback, and latency: medians of %d rounds of %g s in turn, %d CPUs\n\n", r.Rounds, r.Seconds, r.CPUs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\t\tof\t\tratio\tspread\tat most\t")
	for _, row := range r.Rows {
		limit, verdict := "", ""
		if row.Limit > 0 {
			limit, verdict = fmt.Sprintf("%.2f", row.Limit), judge(row.Ratio, row.Limit)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f\t%.2f–%.2f\t%s\t%s\n", row.Case, figure(median(row.A), row.Unit), row.Of, figure(median(row.B), row.Unit),
			row.Ratio, row.Least, row.Most, limit, verdict)
	}
	if len(r.Alone) > 0 {
		fmt.Fprintln(t, "\t\nalone\t\tat most\t")
	}
	for _, a := range r.Alone {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", a.Name, figure(a.Value, a.Unit), figure(a.Limit, a.Unit), judge(a.Value, a.Limit))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Highest > 0 {
		fmt.Fprintf(w, "\nhighest rate of serve: %.0f messages/s, the generator on the same CPUs\n", r.Highest)
		fmt.Fprintf(w, "p99 is at half of it, of messages that the generator itself sent %s late (its own p99)\n", figure(r.Late, "ms"))
	}
	return nil
}

// figure writes a value in three digits at least.
func figure(value float64, unit string) string {
	digits := 0
	switch {
	case value < 10:
		digits = 2
	case value < 100:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, value, unit)
}

func judge(value, limit float64) string {
	if value > limit {
		return "above"
	}
	return "ok"
}
