package rules

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	wechatv1 "wxgate/proto/wechat/v1"
)

// checkDecide makes rules and messages from choices, and checks that the index finds the same rule as trying all of them in
// order. It returns the number of messages that were answered.
func checkDecide(tb testing.TB, choices []byte) (answered int) {
	tb.Helper()
	g := &generator{choices: choices}
	rules := g.rules()
	for range 8 {
		msg := g.message()
		if g.odds(16) { // as no gateway sends it
			msg.MsgType = g.of("text", "event", "")
		}
		want := rules.Try(tb.Context(), msg)
		got := rules.Decide(tb.Context(), msg, noBot)
		if ruleName(got) != want.Rule || len(got.Failed) != failures(want) {
			tb.Errorf("rule %q answered and %d failed, want %s, %d failed\nmessage %v\nmissed %v", ruleName(got), len(got.Failed), want.String(), failures(want), msg, want.Missed)
			for _, r := range rules.list {
				tb.Logf("rule %s: %+v text %+v key %+v", r.Name, r.match, r.match.text, r.match.key)
			}
		}
		if want.Rule != "" {
			answered++
		}
	}
	return answered
}

// TestDecide: the index finds the same rule as trying all rules in order.
func TestDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sets, answered := 4000, 0
	for range sets {
		answered += checkDecide(t, byChance(r, 400))
		if t.Failed() {
			return
		}
	}
	if share := float64(answered) / float64(8*sets); share < 0.2 || share > 0.9 {
		t.Errorf("%.2f of the messages were answered: the rules and messages made are too far apart, or too near", share)
	}
}

// FuzzDecide is TestDecide with the fuzzer's choices.
func FuzzDecide(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		f.Add(byChance(r, 200))
	}
	f.Fuzz(func(t *testing.T, choices []byte) { checkDecide(t, choices) })
}

// TestDecideAtOnce: one Rules answers many messages at the same time.
func TestDecideAtOnce(t *testing.T) {
	g := &generator{choices: byChance(rand.New(rand.NewPCG(5, 6)), 4000)}
	rules := g.rules()
	messages := make([]*wechatv1.Message, 64)
	want := make([]string, len(messages))
	for i := range messages {
		messages[i] = g.message()
		want[i] = rules.Try(t.Context(), messages[i]).Rule
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, msg := range messages {
				if got := ruleName(rules.Decide(t.Context(), msg, noBot)); got != want[i] {
					t.Errorf("message %d: rule %q answered, want %q", i, got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

// TestManyHits: a text of 1 MiB that contains each part at each position needs little memory.
func TestManyHits(t *testing.T) {
	const size = 1 << 20
	var b strings.Builder
	b.WriteString("rules:\n")
	for part := 1; part <= 3; part++ {
		for twin := range 3 { // several rules have one part
			fmt.Fprintf(&b, "  - {name: %d.%d, match: {text: {contains: %s}, when: message.msg_id == 0}, silent: true}\n", part, twin, strings.Repeat("a", part))
		}
	}
	rules := parseRules(t, b.String())
	msg := text(strings.Repeat("a", size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found := rules.index.general.texts.findParts(msg.GetText().GetContent())
	runtime.ReadMemStats(&after)
	if len(found) != rules.RuleCount() {
		t.Errorf("%d rules may match, want %d", len(found), rules.RuleCount())
	}
	if cap(found) > 4*maxHits {
		t.Errorf("found places for %d rules, want at most %d", cap(found), 4*maxHits)
	}
	t.Logf("%d MB allocated", (after.TotalAlloc-before.TotalAlloc)>>20)
	if d := rules.Decide(t.Context(), msg, noBot); d.Rule != nil {
		t.Errorf("rule %q answered, want none", d.Rule.Name)
	}
}

// parseRules returns the rules of a text.
func parseRules(tb testing.TB, text string) *Rules {
	tb.Helper()
	rules, err := Parse("rules.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return rules
}
