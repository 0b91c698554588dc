package gateway

import (
	"strings"
	"testing"

	"wxgate/internal/accounts"
)

// TestFindingsUnsubscribeIsNotAnswered: whoever replies, WeChat hears success, as it reports a text to a user who has left.
func TestFindingsUnsubscribeIsNotAnswered(t *testing.T) {
	f := start(t, nil)
	f.bot.say(text("Come back!"))
	for _, mode := range modes {
		f.post(t, own.of(mode, eventXML("unsubscribe"))).expect(t, 200, "success")
	}
	if got := f.post(t, own.plain("/", eventXML("subscribe"))); !strings.Contains(got.Body, "Come back!") {
		t.Errorf("another event: %s", got.Body)
	}
	if !strings.Contains(f.log.String(), `"unread":true`) {
		t.Error("the log does not say that a reply was dropped")
	}
}

// TestFindingsUnreadEventsReadNoText: while no replier is there, an event to which nobody should read a reply gets none of our
// texts, and is stored.
func TestFindingsUnreadEventsReadNoText(t *testing.T) {
	for _, how := range []accounts.How{accounts.Push, accounts.Later} {
		f := start(t, func(cfg *Config) {
			withBacklog(t, "")(cfg)
			cfg.Slow = accounts.Slow{How: how, Text: "a moment"}
		})
		f.post(t, own.plain("/", eventXML("VIEW"))).expect(t, 200, "success")
		f.post(t, own.plain("/", eventXML("unsubscribe"))).expect(t, 200, "success")
		if got := f.post(t, own.plain("/", textXML(testText))); !strings.Contains(got.Body, "a moment") {
			t.Errorf("%s, a text: %s", how, got.Body)
		}
		if got := f.outcomes(t)["stored"]; got != 3 {
			t.Errorf("%s: %d stored, want 3", how, got)
		}
	}
}
