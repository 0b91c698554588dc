package replier

import (
	"strings"
	"testing"
	"time"
)

// TestFindingsBotsOfNoRuleAreLeft: a bot that no rule names any more is not listed as unreachable; named again, it is.
func TestFindingsBotsOfNoRuleAreLeft(t *testing.T) {
	t.Parallel()
	const named, other = "rules:\n  - {name: bot, forward: \"passthrough:///127.0.0.1:1\"}\n", "rules:\n  - {name: a, match: {text: a}, reply: {text: b}}\n"
	dir := t.TempDir()
	r := start(t, write(t, dir, "rules.yaml", named))
	listed := func(want bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); strings.Contains(r.ready(), "127.0.0.1:1") != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("/readyz: %s; want the bot listed: %t", r.ready(), want)
			}
		}
	}
	listed(true)
	for _, rules := range []string{other, named} {
		write(t, dir, "rules.yaml", rules)
		listed(rules == named)
	}
}
