package replier

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestFindingsUsersHearOfLateFailures: who was told to wait, or wrote, reads the busy text if no answer comes.
func TestFindingsUsersHearOfLateFailures(t *testing.T) {
	const rules = "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s, slow: {push: \"Let me think.\"}}}\n"
	invalid := sendError(codes.InvalidArgument, "MESSAGE_INVALID", "40007")
	closed := sendError(codes.FailedPrecondition, "WINDOW_CLOSED", "45015")
	for name, tt := range map[string]struct {
		msg   *wechatv1.Message
		busy  string
		fail  []error // of the mailbox's next calls
		state backlog.State
		cause string // in the delivery's reason
		sent  []string
	}{
		"a bot fails":              {text("fail"), "busy", nil, backlog.GivenUp, "rule bot: forward to handler:bot", []string{"busy"}},
		"a transfer comes late":    {text("person"), "busy", nil, backlog.Refused, "a transfer_customer_service can be answered while", []string{"busy"}},
		"WeChat refuses the reply": {text("a"), "busy", []error{invalid}, backlog.Refused, "MESSAGE_INVALID", []string{"busy"}},
		"the second part":          {text("long abc"), "busy", []error{nil, invalid}, backlog.Refused, "MESSAGE_INVALID", []string{strings.Repeat("abc", 1000)[:2048]}},
		"WeChat refuses anything":  {text("a"), "busy", []error{closed}, backlog.Refused, "WINDOW_CLOSED", nil},
		"the busy text as well":    {text("fail"), "busy", []error{invalid}, backlog.GivenUp, "rule bot: forward to handler:bot", nil},
		"it is tried again":        {text("fail"), "busy", []error{sendError(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "-1")}, backlog.GivenUp, "rule bot", []string{"busy"}},
		"it is blank":              {text("fail"), " ", nil, backlog.GivenUp, "rule bot: forward to handler:bot", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, rules, store.Config{}, func(c *Config) { c.BusyText = tt.busy })
			s.mailbox.fail = tt.fail
			s.expect(t, tt.msg, newResponse(stateDeferred, says("Let me think.")))
			close(s.gate(tt.msg.GetText().GetContent()))
			d := s.state(t, tt.msg, tt.state)
			if !strings.Contains(d.GetReason(), tt.cause) {
				t.Errorf("reason %q, want %q", d.GetReason(), tt.cause)
			}
			if got := s.mailbox.texts(); !cmp.Equal(tt.sent, got) {
				t.Errorf("sent %q, want %q", got, tt.sent)
			}
		})
	}
}

// TestFindingsHeldFailureIsHeard: who waits since an attempt of WeChat's got no answer is not left with silence if the bot fails
// then. WeChat's other attempts hear the same.
func TestFindingsHeldFailureIsHeard(t *testing.T) {
	large := text("fail")
	large.Extra = []*wechatv1.Element{{Name: "Large", Text: strings.Repeat("y", 800_000)}}
	givenUp := newResponse(stateGivenUp, nil)
	for name, tt := range map[string]struct {
		msg   *wechatv1.Message
		rules string
		want  *replierv1.ReplyResponse
	}{
		"held":                 {text("fail"), "rules:\n  - {name: bot, forward: {to: \"handler:bot\", slow: hold}}\n", givenUp},
		"it cannot be stored":  {large, atOnce, givenUp},
		"another rule answers": {text("fail"), "rules:\n  - {name: bot, forward: {to: \"handler:bot\", slow: hold}}\n  - {name: all, reply: {text: sorry}}\n", &replierv1.ReplyResponse{Reply: says("sorry")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, tt.rules, store.Config{}, nil)
			s.expect(t, tt.msg, newResponse(stateHold, nil))
			close(s.gate("fail"))
			eventually(t, "the bot to fail", func() bool { return gauge(t, s.env, "wxgate_bot_calls") == 0 })
			for range wechatv1.MaxAttempts - 1 {
				s.expect(t, tt.msg, tt.want)
			}
		})
	}
}

// TestFindingsFailureAfterAnotherProcessHeld: an attempt that no replier answered is known by the age of the message at WeChat's
// next one.
func TestFindingsFailureAfterAnotherProcessHeld(t *testing.T) {
	for age, want := range map[time.Duration]*replierv1.ReplyResponse{
		0:                  {},
		6 * time.Second:    newResponse(stateGivenUp, nil),
		2 * repeatedBefore: {}, // late for another reason
		-repeatedBefore:    {}, // WeChat's clock is ahead
	} {
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, atOnce, store.Config{}, nil)
			close(s.gate("fail"))
			msg := text("fail")
			msg.CreateTime = time.Now().Add(-age).Unix()
			s.expect(t, msg, want)
		})
	}
}

// TestFindingsLaterHearsOfFailure: who was told to write again reads the busy text then.
func TestFindingsLaterHearsOfFailure(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, func(c *Config) {
		c.Slow.How, c.BusyText = accounts.Later, "busy"
	})
	msg := text("fail")
	s.expect(t, msg, newResponse(stateDeferred, says(accounts.LaterText)))
	close(s.gate("fail"))
	s.state(t, msg, backlog.Kept)
	s.expect(t, text("next"), &replierv1.ReplyResponse{Reply: says("busy")})
	s.state(t, msg, backlog.GivenUp)
}

// TestFindingsEventsHearOfFailure: who did something on purpose hears of a failure; who did not, unless told to wait, does not.
func TestFindingsEventsHearOfFailure(t *testing.T) {
	const rules = "rules:\n  - {name: bot, match: {type: event}, forward: {to: \"handler:bot\", wait: 0s}}\n"
	for name, want := range map[string][]string{"CLICK": {"busy"}, "subscribe": nil, "VIEW": nil, "TEMPLATESENDJOBFINISH": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := make(chan struct{})
			s := startSlow(t, rules, store.Config{}, func(c *Config) {
				c.BusyText = "busy"
				c.Handlers["bot"] = func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
					<-stored
					return nil, errors.New("the bot is unreachable")
				}
			})
			msg := message("event")
			msg.MsgId, msg.Content = 0, &wechatv1.Message_Event{Event: &wechatv1.Event{Event: name}}
			s.expect(t, msg, deferred)
			close(stored)
			s.state(t, msg, backlog.GivenUp)
			if got := s.mailbox.texts(); !cmp.Equal(want, got) {
				t.Errorf("sent %q, want %q", got, want)
			}
		})
	}
}

// TestFindingsRetryAfterApology: the busy text is not the answer: an operator's retry asks the bot again.
func TestFindingsRetryAfterApology(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, func(c *Config) { c.BusyText = "busy" })
	msg := text("fail")
	s.expect(t, msg, deferred)
	close(s.gate("fail"))
	d := s.state(t, msg, backlog.GivenUp)
	if _, err := s.deliveries.RetryDelivery(t.Context(), &replierv1.RetryDeliveryRequest{Id: d.GetId()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bot to be asked again", func() bool { return s.called("fail") == 2 })
}

// TestFindingsApologyOutlivesItsReplier: if the replier that was to say it dies, another one says it, and asks no bot.
func TestFindingsApologyOutlivesItsReplier(t *testing.T) {
	s := startSlow(t, "", store.Config{}, func(c *Config) { c.BusyText = "busy" })
	msg := text("a")
	w, err := s.backlog.Defer(t.Context(), msg, time.Now(), false, "Let me think.")
	if err != nil {
		t.Fatal(err)
	}
	w.Apologize(backlog.Ending{State: backlog.Refused, Reason: "of a kind", Errcode: "7"})
	if err := w.BeginAttempt(t.Context(), says("busy"), 1, 0); err != nil {
		t.Fatal(err)
	}
	w.Release()
	d := s.state(t, msg, backlog.Refused)
	if d.GetReason() != "of a kind" || d.GetErrcode() != "7" || s.called("a") != 0 || !cmp.Equal([]string{"busy"}, s.mailbox.texts()) {
		t.Errorf("delivery %v, sent %q, the bot was asked %d times", d, s.mailbox.texts(), s.called("a"))
	}
}
