package replier

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	"wxgate/replier/rules"
)

const atOnce = "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n"

// TestFindingsAccountsShareNoSlots: while WeChat leaves more answers of an account waiting than are given to it at a time,
// those of another account go.
func TestFindingsAccountsShareNoSlots(t *testing.T) {
	s := startSlow(t, atOnce, store.Config{}, nil)
	s.mailbox.hold("slow")
	defer s.mailbox.release("slow")
	for i := range maxPushes + 4 {
		msg := text("a")
		msg.Account, msg.FromUserName = "slow", fmt.Sprint("oUser", i)
		s.expect(t, msg, deferred)
	}
	close(s.gate("a"))
	eventually(t, "all slots of the account to be in use", func() bool { return s.mailbox.calls() == maxPushes })
	other := text("other")
	s.expect(t, other, deferred)
	close(s.gate("other"))
	s.state(t, other, backlog.Sent)
	if n := s.mailbox.calls(); n != maxPushes+1 {
		t.Errorf("WeChat was given %d answers; want the account's %d, which it leaves waiting, and the other", n, maxPushes)
	}
}

// TestFindingsRetriesHoldNoSlot: answers that WeChat refuses for now wait outside of the slots: the account's others go.
func TestFindingsRetriesHoldNoSlot(t *testing.T) {
	s := startSlow(t, atOnce, store.Config{}, nil)
	for range maxPushes + 4 {
		s.mailbox.fail = append(s.mailbox.fail, sendError(codes.ResourceExhausted, "RATE_LIMITED", "45011", "retry_after_ms=600000"))
	}
	for i := range maxPushes + 4 {
		msg := text("a")
		msg.FromUserName = fmt.Sprint("oUser", i)
		s.expect(t, msg, deferred)
	}
	close(s.gate("a"))
	eventually(t, "all to be refused for now", func() bool { return s.mailbox.calls() == maxPushes+4 })
	other := text("other")
	s.expect(t, other, deferred)
	close(s.gate("other"))
	s.state(t, other, backlog.Sent)
}

// TestFindingsRetryAfter: an answer is not given to WeChat again before the time that oauthsvc named.
func TestFindingsRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"10000": 10 * time.Second, "": 0, "-5": 0, "soon": 0, "99999999999999999999": (1<<31 - 1) * time.Millisecond,
	} {
		p := resultOf(sendError(codes.ResourceExhausted, "RATE_LIMITED", "45011", "retry_after_ms="+value), true)
		if p.state != backlog.Pending || p.retryAfter != want {
			t.Errorf("%q: %+v, want after %v", value, p, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			retries     int
			after       time.Duration
			least, most time.Duration
		}{
			{1, 0, 500 * time.Millisecond, time.Second},
			{3, 0, 2 * time.Second, 4 * time.Second},
			{1, 10 * time.Second, 10 * time.Second, 20 * time.Second},
			{10, 10 * time.Second, longestWait / 2, longestWait},
			{1, time.Hour, longestWait / 2, longestWait},
			{1 << 20, 0, longestWait / 2, longestWait},
		} {
			begin := time.Now()
			if !pauseBeforeRetry(t.Context(), tt.retries, tt.after) {
				t.Fatal("interrupted")
			}
			if took := time.Since(begin); took < tt.least || took > tt.most {
				t.Errorf("after %d retries, at least %v: waited %v, want %v to %v", tt.retries, tt.after, took, tt.least, tt.most)
			}
		}
	})
}

// TestFindingsEndlessRetriesAreSeen: an answer that WeChat is given again and again in vain is in metric, log and /readyz.
func TestFindingsEndlessRetriesAreSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	s := startSlow(t, atOnce, store.Config{}, nil)
	s.mailbox.refuse(sendError(codes.FailedPrecondition, "IP_NOT_ALLOWED", "40164"))
	msg := text("a")
	s.expect(t, msg, deferred)
	close(s.gate("a"))
	eventually(t, "the problem", func() bool { return gauge(t, s.env, "wxgate_answers_stuck") == 1 })
	if gauge(t, s.env, "wxgate_problem") != 1 || !strings.Contains(s.log.String(), "account shop: IP_NOT_ALLOWED (1)") {
		t.Errorf("the problem is %v; log:\n%s", gauge(t, s.env, "wxgate_problem"), s.log)
	}
	s.mailbox.refuse(nil)
	s.state(t, msg, backlog.Sent)
	eventually(t, "the problem to end", func() bool { return gauge(t, s.env, "wxgate_answers_stuck")+gauge(t, s.env, "wxgate_problem") == 0 })
}

// TestFindingsUnreadableAnswers: an answer of a handler that is not UTF-8 is a failure of the handler, once.
func TestFindingsUnreadableAnswers(t *testing.T) {
	s := startSlow(t, atOnce, store.Config{}, nil)
	msg := text("broken")
	s.expect(t, msg, deferred)
	close(s.gate("broken"))
	if d := s.state(t, msg, backlog.GivenUp); !strings.Contains(d.GetReason(), "UTF-8") {
		t.Errorf("reason %q; want that it is not UTF-8", d.GetReason())
	}
	if n := s.called("broken"); n != 1 {
		t.Errorf("the bot was asked %d times", n)
	}
}

// TestFindingsBlankAnswersAreNotSent: WeChat shows its failure line for a text without a character.
func TestFindingsBlankAnswersAreNotSent(t *testing.T) {
	s := startSlow(t, atOnce, store.Config{}, nil)
	msg := text("blank")
	s.expect(t, msg, deferred)
	close(s.gate("blank"))
	s.state(t, msg, backlog.Silent)
	if got := s.mailbox.texts(); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}

// TestFindingsWaitOfASecondBot: the wait of a bot counts that is asked after another one has failed.
func TestFindingsWaitOfASecondBot(t *testing.T) {
	const rules = `
rules:
  - {name: first, forward: {to: "handler:bot", timeout: 300ms}}
  - {name: second, forward: {to: "handler:bot", wait: 0s}}
`
	s := startSlow(t, rules, store.Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	resp, err := s.Reply(ctx, &replierv1.ReplyRequest{Message: text("a"), Coordination: mayDefer})
	if err != nil || resp.GetCoordination().GetState() != stateDeferred {
		t.Errorf("got %v, %v", resp, err)
	}
}

// TestFindingsTimeOfHeldAnswers: no time is kept for storing a message that is never stored.
func TestFindingsTimeOfHeldAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{slow: slowPolicies{backlog: &backlog.Backlog{}}}
		ctx, cancel := context.WithTimeout(t.Context(), 4400*time.Millisecond)
		defer cancel()
		by := s.waitLimitsFor(ctx, true)
		for how, want := range map[accounts.How]time.Duration{
			accounts.Hold: answerSpare, accounts.Drop: answerSpare, accounts.Push: storeTime, accounts.Later: storeTime,
		} {
			r := newJob()
			r.setPolicy(accounts.Slow{How: how}, rules.MaxTimeout)
			deadline, _ := ctx.Deadline()
			if _, until := r.waitUntil(by); !until.Equal(deadline.Add(-want)) {
				t.Errorf("%s: waits until %v before the end, want %v", how, deadline.Sub(until), want)
			}
		}
	})
}
