// Command bench measures the cost of wxgate: the CPU time of a callback that is answered correctly, as a ratio to bare
// counterparts (bare/) and to its own parts in one handler (parts/), measured in turn with it; the latency, likewise; and the
// start and the idle memory of a process. Only a wrong answer is an error; a ratio above its limit is not.
//
// A callback is a signed text message, answered by the echo rule; 32 connections are kept alive, and every message is new.
// Servers are processes as shipped, with a log line for each callback, which goes to a file: that costs them the write, and
// no reader takes CPU time from them. CPU time is user and system time of all processes of a side (/proc/PID/stat), without
// the generator, which is this process.
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
	p := runPlan{rounds: max(*rounds, 1), round: *round, warm: 2 * time.Second, large: largeSize{100_000, 1000, 1_000_000}, starts: 5, idle: 3 * time.Second}
	if *short { // enough to see that all answers are right
		p = runPlan{rounds: 2, round: 200 * time.Millisecond, warm: 100 * time.Millisecond, large: largeSize{10_000, 100, 20_000}, starts: 1, idle: 200 * time.Millisecond}
	}
	p.only = *only
	err := runAll(ctx, p, *asJSON)
	if ctx.Err() != nil {
		err = errors.New("interrupted") // the servers were interrupted too: missing answers are not failures
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func runAll(ctx context.Context, p runPlan, asJSON string) error {
	if runtime.GOOS != "linux" {
		return errors.New("CPU time is read from /proc, which only Linux has")
	}
	builder, err := newBuilder(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = builder.removeFiles() }()
	b := &benchRun{systemBuilder: builder, runPlan: p}
	report, err := b.measureAll(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return err
	}
	if err := report.writeText(os.Stdout); err != nil || asJSON == "" {
		return err
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(asJSON, append(data, '\n'), 0o644)
}
