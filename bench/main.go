// Command bench shows what a callback costs wxgate: CPU time for each one that is answered rightly, in ratios to bare
// counterparts (bare/) that are measured in turn with it, latency likewise, and what a process takes to start and to
// stand idle. It judges nothing but the answers: a wrong one ends it.
//
// A callback is a signed text message, and its answer the echo rule's; 32 connections are kept alive, and every message
// is another. Servers are processes as shipped, with a log line for each callback, which goes to a file: that costs them
// the write, and no reader takes their processors. CPU time is user and system time of all processes of a side
// (/proc/PID/stat), without the generator's, which is this process.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rounds := flag.Int("rounds", 5, "rounds of each comparison")
	round := flag.Duration("round", 5*time.Second, "how long a side is measured in a round")
	short := flag.Bool("short", false, "a few seconds in all: the figures say little")
	asJSON := flag.String("json", "", "`file` that the figures are written to as well")
	flag.Parse()
	p := plan{Rounds: *rounds, round: *round, warm: 2 * time.Second, large: size{100_000, 1000, 1_000_000}, starts: 5, idle: 3 * time.Second}
	if *short {
		p = shortPlan
	}
	if err := run(ctx, p, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// shortPlan is enough to see that all answers are right.
var shortPlan = plan{Rounds: 2, round: 200 * time.Millisecond, warm: 100 * time.Millisecond, large: size{10_000, 100, 20_000}, starts: 1, idle: 200 * time.Millisecond}

func run(ctx context.Context, p plan, asJSON string) error {
	builder, err := newBuilder(ctx)
	if err != nil {
		return err
	}
	defer builder.close()
	b := &bench{builder: builder, plan: p}
	report, err := b.report(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return err
	}
	if err := report.write(os.Stdout); err != nil || asJSON == "" {
		return err
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(asJSON, append(data, '\n'), 0o644)
}
