// Command bench shows what a callback costs wxgate: CPU time for each one that is answered rightly, in ratios to bare
// counterparts (bare/) and to its own parts in one handler (parts/), which are measured in turn with it, latency likewise,
// and what a process takes to start and to stand idle. It judges nothing but the answers: a wrong one ends it.
//
// A callback is a signed text message, and its answer the echo rule's; 32 connections are kept alive, and every message
// is another. Servers are processes as shipped, with a log line for each callback, which goes to a file: that costs them
// the write, and no reader takes their processors. CPU time is user and system time of all processes of a side
// (/proc/PID/stat), without the generator's, which is this process.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C quits at once
	rounds := flag.Int("rounds", 5, "rounds of each comparison")
	round := flag.Duration("round", 5*time.Second, "how long a side is measured in a round")
	only := flag.String("case", "", "only comparisons with this `text` in the name of their case")
	short := flag.Bool("short", false, "a few seconds in all, whatever -rounds and -round say: the figures say little")
	asJSON := flag.String("json", "", "`file` that the figures are written to as well")
	flag.Parse()
	p := plan{rounds: max(*rounds, 1), round: *round, warm: 2 * time.Second, large: size{100_000, 1000, 1_000_000}, starts: 5, idle: 3 * time.Second}
	if *short { // enough to see that all answers are right
		p = plan{rounds: 2, round: 200 * time.Millisecond, warm: 100 * time.Millisecond, large: size{10_000, 100, 20_000}, starts: 1, idle: 200 * time.Millisecond}
	}
	p.only = *only
	err := run(ctx, p, *asJSON)
	if ctx.Err() != nil {
		err = errors.New("interrupted") // the servers too: what they did not answer is no failure
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan, asJSON string) error {
	if runtime.GOOS != "linux" {
		return errors.New("CPU time is read from /proc, which only Linux has")
	}
	builder, err := newBuilder(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = builder.close() }()
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
