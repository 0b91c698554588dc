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
	Highest float64 `json:"highest_per_second"` // messages per second of serve, with all connections busy
	Late    float64 `json:"late_ms"`            // p99 of the generator's own delay, for the p99 rows
	Rows    []Row   `json:"rows"`
	Alone   []Alone `json:"alone"`
}

// Alone is a figure of a single process, without a comparison.
type Alone struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
}

// allComparisons returns the rows of the table.
func (b *benchRun) allComparisons() []comparedPair {
	plain, bare, parts := comparedSide{"serve, plain", b.plainSystem}, comparedSide{"bare handler", b.bareOne}, comparedSide{"its parts in one handler", b.partsSystem}
	large := comparedSide{fmt.Sprintf("serve, %d rules, %d accounts", b.large.rules, b.large.accounts),
		func(ctx context.Context) (*processGroup, error) {
			return b.largeSystem(ctx, b.large)
		}}
	return []comparedPair{
		{plain, bare, 1.5, "µs", b.cpuCost},
		{plain, parts, 0, "µs", b.cpuCost},
		{parts, bare, 0, "µs", b.cpuCost},
		{comparedSide{"serve, safe", b.safeSystem}, plain, 1.3, "µs", b.cpuCost},
		{comparedSide{"gateway and replier", b.splitSystem}, comparedSide{"bare pair", b.barePair}, 1.2, "µs", b.cpuCost},
		{large, plain, 1.15, "µs", b.cpuCost},
		{comparedSide{"serve, p99", b.plainSystem}, comparedSide{"bare handler, p99", b.bareOne}, 2, "ms", b.p99Latency},
		{comparedSide{"serve, p99", b.plainSystem}, comparedSide{"its parts, p99", b.partsSystem}, 0, "ms", b.p99Latency},
		{comparedSide{"serve --data-dir", b.storedSystem}, plain, 0, "µs", b.cpuCost},
		{bare, comparedSide{"bare handler again", b.bareOne}, 0, "µs", b.cpuCost},
	}
}

// chosenComparisons returns the comparisons with a text in their case's name.
func chosenComparisons(all []comparedPair, text string) (chosen []comparedPair, err error) {
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

// measureAll measures everything. It calls said after each comparison.
func (b *benchRun) measureAll(ctx context.Context, said func(string)) (*Report, error) {
	r := &Report{Rounds: b.rounds, Seconds: b.round.Seconds(), CPUs: runtime.NumCPU()}
	chosen, err := chosenComparisons(b.allComparisons(), b.only)
	if err != nil {
		return nil, err
	}
	for _, c := range chosen {
		row, err := c.measureSides(ctx, b.runPlan)
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
		ready, resident, err := b.measureAlone(ctx, c.args)
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

// measureAlone returns the ms that a process takes until it is ready, the median of several starts, and the MB that it holds
// after it has been idle.
func (b *benchRun) measureAlone(ctx context.Context, args []string) (ready, resident float64, err error) {
	var times []float64
	for i := range b.starts {
		p, err := startProcess(b.dir, b.wxgate, args...)
		if err != nil {
			return 0, 0, err
		}
		defer p.stopProcess()
		took, err := p.awaitReady(ctx)
		if err != nil {
			return 0, 0, err
		}
		times = append(times, took.Seconds()*1e3)
		if i == 0 {
			time.Sleep(b.idle)
			bytes, err := p.residentBytes()
			if err != nil {
				return 0, 0, err
			}
			resident = float64(bytes) / 1e6
		}
		p.stopProcess()
	}
	return median(times), resident, nil
}

// writeText writes the table for a terminal.
func (r *Report) writeText(w io.Writer) error {
	fmt.Fprintf(w, "CPU time of a callback, and latency: medians of %d rounds of %g s in turn, %d CPUs\n\n", r.Rounds, r.Seconds, r.CPUs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\t\tof\t\tratio\tspread\tat most\t")
	for _, row := range r.Rows {
		limit, verdict := "", ""
		if row.Limit > 0 {
			limit, verdict = fmt.Sprintf("%.2f", row.Limit), verdictOf(row.Ratio, row.Limit)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f\t%.2f–%.2f\t%s\t%s\n", row.Case, formatFigure(median(row.A), row.Unit), row.Of, formatFigure(median(row.B), row.Unit),
			row.Ratio, row.Least, row.Most, limit, verdict)
	}
	if len(r.Alone) > 0 {
		fmt.Fprintln(t, "\t\nalone\t\tat most\t")
	}
	for _, a := range r.Alone {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", a.Name, formatFigure(a.Value, a.Unit), formatFigure(a.Limit, a.Unit), verdictOf(a.Value, a.Limit))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Highest > 0 {
		fmt.Fprintf(w, "\nhighest rate of serve: %.0f messages/s, the generator on the same CPUs\n", r.Highest)
		fmt.Fprintf(w, "p99 is at half of it, of messages that the generator itself sent %s late (its own p99)\n", formatFigure(r.Late, "ms"))
	}
	return nil
}

// formatFigure writes a value with at least three digits.
func formatFigure(value float64, unit string) string {
	digits := 0
	switch {
	case value < 10:
		digits = 2
	case value < 100:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, value, unit)
}

func verdictOf(value, limit float64) string {
	if value > limit {
		return "above"
	}
	return "ok"
}
