package replier

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/backlog"
	"wxgate/internal/store"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestFindingsWaitingMessagesAreBounded: when too many messages wait for bots, users hear so at once; the flood of one account
// leaves room for the others, and what is over leaves room again.
func TestFindingsWaitingMessagesAreBounded(t *testing.T) {
	const memory = 2 << 20 // for some 40 messages
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, func(c *Config) { c.BotMemory = memory })
	number := 0
	flood := func(account, content string) (waiting int) {
		t.Helper()
		for range memory / callSize {
			number++
			msg := text(content)
			msg.Account, msg.FromUserName = account, fmt.Sprint("oUser", number)
			resp := s.attempt(t, msg)
			if resp.GetCoordination().GetState() == stateGivenUp {
				return waiting
			}
			if resp.GetCoordination().GetState() != stateDeferred {
				t.Fatalf("got %v", resp)
			}
			waiting++
		}
		t.Fatalf("%d messages of account %s wait, with no bound", waiting, account)
		return 0
	}
	first, second := flood("shop", "a"), flood("school", "a")
	if second == 0 || second >= first {
		t.Errorf("%d messages of an account wait, and %d of another; want room for both, more for the first", first, second)
	}
	if got := gauge(t, s.env, "wxgate_bot_calls"); int(got) != first+second {
		t.Errorf("wxgate_bot_calls is %v, want %d", got, first+second)
	}
	close(s.gate("a"))
	eventually(t, "the calls to end", func() bool { return gauge(t, s.env, "wxgate_bot_calls") == 0 })
	if again := flood("school", "b"); again != first {
		t.Errorf("%d messages of an account wait once there is room again, want %d", again, first)
	}
}

// TestFindingsFullBacklogEndsTheCalls: nobody reads the answer to a message that could not be stored: its call ends.
func TestFindingsFullBacklogEndsTheCalls(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, nil)
	stored, full := 0, 0
	for i := 0; full < 5; i++ {
		msg := text("x")
		msg.Extra = []*wechatv1.Element{{Name: "Large", Text: string(make([]byte, 20_000))}}
		msg.FromUserName = fmt.Sprint("oUser", i)
		if s.attempt(t, msg).GetCoordination().GetState() == stateGivenUp {
			full++
		} else {
			stored++
		}
	}
	eventually(t, "only the calls of stored messages", func() bool { return gauge(t, s.env, "wxgate_bot_calls") == float64(stored) })
}

// TestReserveFairly: an account alone has four fifths of the room; one that comes besides has four fifths of what is left.
func TestReserveFairly(t *testing.T) {
	msg := func(account string) *wechatv1.Message { return &wechatv1.Message{Account: account} }
	c := newBotCalls(prometheus.NewRegistry(), 1000*callSize)
	fill := func(account string) (n int) {
		for {
			if _, err := c.reserveRoom(msg(account), false); err != nil {
				if !errors.Is(err, errTooManyCalls) {
					t.Fatal(err)
				}
				return n
			}
			n++
		}
	}
	for _, want := range []struct {
		account     string
		least, most int
	}{{"a", 790, 800}, {"b", 150, 160}, {"c", 28, 32}, {"a", 0, 0}} {
		if n := fill(want.account); n < want.least || n > want.most {
			t.Errorf("%d calls of %s, want %d to %d", n, want.account, want.least, want.most)
		}
	}
	before := c.used
	release, err := c.reserveRoom(msg("a"), true)
	if err != nil {
		t.Errorf("a message that was taken over: %v", err)
	}
	release()
	if c.used != before {
		t.Errorf("%d bytes are used, %d before", c.used, before)
	}
}

// TestFindingsTakeoversStopNoOtherAccount: while the bot of an account hangs that has more owed messages than are taken over at a
// time, the owed message of another account is answered.
func TestFindingsTakeoversStopNoOtherAccount(t *testing.T) {
	s := startSlow(t, atOnce, store.Config{}, nil)
	stored := func(content, account, user string) *wechatv1.Message {
		t.Helper()
		msg := text(content)
		msg.Account, msg.FromUserName = account, user
		if err := s.backlog.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
			t.Fatal(err)
		}
		return msg
	}
	const more = 10
	var flood []*wechatv1.Message
	for i := range maxTakeovers + more {
		flood = append(flood, stored("flood", "school", fmt.Sprint("oUser", i)))
	}
	eventually(t, "the bot to be busy", func() bool { return s.called("flood") == maxTakeovers })
	close(s.gate("a"))
	s.state(t, stored("a", "shop", openid), backlog.Sent)
	if n := s.called("flood"); n != maxTakeovers {
		t.Errorf("the bot was asked about %d messages at a time, want %d", n, maxTakeovers)
	}
	close(s.gate("flood"))
	for _, msg := range flood {
		s.state(t, msg, backlog.Sent)
	}
}
