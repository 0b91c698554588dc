package replier

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/backlog"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
)

// seenOnce fails unless the failure of the bot is in the log and in the metric, once, without what the user wrote.
func (s *slow) seenOnce(t *testing.T, cause string) {
	t.Helper()
	eventually(t, "the failure in the metric", func() bool { return s.outcomes(t)["rule_failed"] == 1 })
	eventually(t, "the failure in the log", func() bool { return strings.Contains(s.log.String(), cause) })
	if n := strings.Count(s.log.String(), "rule bot: forward to handler:bot: "); n != 1 {
		t.Errorf("%d times in the log, want 1:\n%s", n, s.log)
	}
}

// TestFindingsSlowFailuresAreSeen: the failure of a bot is in log and metric once, whoever waited for the answer, also if a
// fallback or a later rule answered.
func TestFindingsSlowFailuresAreSeen(t *testing.T) {
	const (
		cause    = "rule bot: forward to handler:bot: DeadlineExceeded"
		fallback = "rules:\n  - {name: bot, forward: {to: \"handler:bot\", timeout: 300ms, wait: 0s, fallback: {text: sorry}}}\n"
		another  = "rules:\n  - {name: bot, forward: {to: \"handler:bot\", timeout: 300ms, wait: 0s}}\n  - {name: next, reply: {text: sorry}}\n"
	)
	for name, rules := range map[string]string{"fallback": fallback, "another rule": another} {
		t.Run("pushed, "+name, func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, rules, store.Config{}, nil)
			msg := text("a")
			s.expect(t, msg, deferred)
			if d := s.state(t, msg, backlog.Sent); d.GetReason() != cause {
				t.Errorf("reason %q, want %q", d.GetReason(), cause)
			}
			if got := s.mailbox.texts(); !cmp.Equal([]string{"sorry"}, got) {
				t.Errorf("sent %q", got)
			}
			s.seenOnce(t, cause)
		})
	}
	t.Run("taken over", func(t *testing.T) {
		t.Parallel()
		s := startSlow(t, fallback, store.Config{}, nil)
		msg := text("a")
		if err := s.backlog.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
			t.Fatal(err)
		}
		s.state(t, msg, backlog.Sent)
		s.seenOnce(t, cause)
	})
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		s := startSlow(t, strings.Replace(fallback, "timeout: 300ms, wait: 0s", "timeout: 2s, slow: hold", 1), store.Config{}, nil)
		msg := text("a")
		s.expect(t, msg, newResponse(stateHold, nil))
		for range 2 { // WeChat repeats it
			s.expect(t, msg, &replierv1.ReplyResponse{Reply: says("sorry")})
		}
		s.seenOnce(t, cause)
	})
	t.Run("nobody waits", func(t *testing.T) {
		t.Parallel()
		s := startSlow(t, strings.Replace(fallback, "wait: 0s", "wait: 0s, slow: drop", 1), store.Config{}, nil)
		s.expect(t, text("a"), &replierv1.ReplyResponse{})
		s.seenOnce(t, cause)
	})
}
