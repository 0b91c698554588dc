package replier

import (
	"context"
	"errors"
	"strings"
	"testing"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestFindingsUnreadEvents: an event to which nobody reads a reply gets none by a default, by a rule that does not name it, or by
// their bots, which are told of it all the same.
func TestFindingsUnreadEvents(t *testing.T) {
	const file = `
rules:
  - {name: where, match: {event: LOCATION, event_key: named}, reply: {text: I see you.}}
  - {name: page, match: {event: [CLICK, VIEW], event_key: named}, reply: {text: A page.}}
  - {name: bye, match: {event: unsubscribe, event_key: named}, reply: {text: Come back!}}
  - {name: key, match: {event_key: key}, reply: {text: a key}}
  - {name: type, match: {type: event, when: message.event.event_key == "type"}, random: [{text: an event}, {text: an event}]}
  - {name: bot, match: {event_key: bot}, forward: {to: "handler:bot"}}
  - {name: broken, match: {event_key: broken}, forward: {to: "handler:broken", fallback: {text: the fallback}}}
default: {reply: {text: the default}}
`
	s := startSlow(t, file, store.Config{}, func(c *Config) {
		c.Handlers["broken"] = func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return nil, errors.New("broken") }
	})
	close(s.gate(""))
	for _, tt := range []struct{ event, key, want string }{
		{"LOCATION", "named", "I see you."},
		{"view", "named", "A page."},
		{"unsubscribe", "named", ""},
		{"CLICK", "key", "a key"}, {"VIEW", "key", ""},
		{"scan", "type", "an event"}, {"masssendjobfinish", "type", ""},
		{"CLICK", "bot", "re: "}, {"VIEW", "bot", ""}, {"LOCATION", "bot", ""}, {"unsubscribe", "bot", ""},
		{"CLICK", "broken", "the fallback"}, {"kf_close_session", "broken", ""},
		{"CLICK", "", "the default"}, {"subscribe", "", "the default"}, {"from_tomorrow", "", "the default"},
		{"unsubscribe", "", ""}, {"LOCATION", "", ""}, {"VIEW", "", ""}, {"view_miniprogram", "", ""},
		{"TEMPLATESENDJOBFINISH", "", ""}, {"user_authorization_revoke", "", ""}, {"kf_create_session", "", ""},
	} {
		t.Run(tt.event+" "+tt.key, func(t *testing.T) {
			asked := s.called("")
			if got := s.attempt(t, event(tt.event, tt.key)).GetReply().GetText().GetContent(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if asks := s.called("") - asked; (asks == 1) != (tt.key == "bot") {
				t.Errorf("the bot was asked %d times", asks)
			}
		})
	}
	if !strings.Contains(s.log.String(), `"unread":true`) {
		t.Error("the log does not say that a bot's answer was dropped")
	}
}

// TestFindingsUnreadEventsSlowly: neither a text of ours nor the answer follows an event to which nobody should read a reply.
func TestFindingsUnreadEventsSlowly(t *testing.T) {
	const file = `
rules:
  - {name: push, match: {event_key: push}, forward: {to: "handler:bot", slow: {push: "I am thinking."}}}
  - {name: later, match: {event_key: later}, forward: {to: "handler:bot", slow: {later: "Ask again."}}}
  - {name: rest, match: {type: text}, reply: {text: a rule}}
`
	s := startSlow(t, file, store.Config{}, func(c *Config) { c.Slow = accounts.Slow{How: accounts.Later} })
	push, later := event("LOCATION", "push"), event("VIEW", "later")
	s.expect(t, push, deferred)
	s.expect(t, later, deferred)
	s.expect(t, text("hi"), &replierv1.ReplyResponse{Reply: says("a rule")})
	close(s.gate(""))
	s.state(t, push, backlog.Silent)
	s.state(t, later, backlog.Silent)
	if texts := s.mailbox.texts(); len(texts) > 0 {
		t.Errorf("the user read %q", texts)
	}
}
