package gateway

import (
	"strings"
	"testing"

	"wxgate/internal/accounts"
	wechatv1 "wxgate/proto/wechat/v1"
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

// TestFindingsFewerArticles: a bot straight behind the gateway that gives more articles than WeChat shows leaves no user with
// silence: the surplus is left out, whatever it holds, and the log says so.
func TestFindingsFewerArticles(t *testing.T) {
	f := start(t, nil)
	f.bot.say(&wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{{Title: "one"}, {Title: "two"}, {}}}}})
	got := f.post(t, own.plain("/", textXML(testText)))
	if !strings.Contains(got.Body, "<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[one]]>") || strings.Contains(got.Body, "two") {
		t.Errorf("a text: %s", got.Body)
	}
	if !strings.Contains(f.log.String(), `"articles_left_out":2`) {
		t.Error("the log does not tell of the others")
	}
	if outcomes := f.outcomes(t); outcomes["replied"] != 1 {
		t.Errorf("outcomes %v", outcomes)
	}
}
