package replier

import (
	"context"
	"testing"
	"wxgate/replier/rules"
)

// BenchmarkOnce decides on messages that all are new, and keeps the answers, in as much memory as they may take: how much
// each one takes is what the garbage collector has to go through.
func BenchmarkOnce(b *testing.B) {
	rules, err := rules.Load("")
	if err != nil {
		b.Fatal(err)
	}
	o := newDedupe(defaultOnceMemory)
	defer o.endJobs()
	decide := func(ctx context.Context, _ *job) decision {
		return decision{Decision: rules.Decide(ctx, text("hello"), nil)}
	}
	msg := text("hello")
	b.ReportAllocs()
	for b.Loop() {
		msg.MsgId++
		if r, attempt := o.joinJob(b.Context(), msg, decide, nil); attempt != 1 || r.decision.Reply == nil {
			b.Fatalf("attempt %d, %v", attempt, r.decision)
		}
	}
}
