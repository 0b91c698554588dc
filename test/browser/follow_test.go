package browser

import (
	"fmt"
	"net/http"
	"testing"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// TestFindingsBrowserFollow: who leaves an account reads nothing of it, and writes nothing, until they follow again.
func TestFindingsBrowserFollow(t *testing.T) {
	t.Parallel()
	p, url, _ := startSite(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>bye</Content></xml>",
			sender.User, testproc.OriginalID)
	})
	b := openTab(t, url, "en-US")
	disabled := func(selector string, want bool) {
		t.Helper()
		b.waits(fmt.Sprintf("document.querySelector(%q).disabled === %t", selector, want), fmt.Sprintf("%s: disabled is not %t", selector, want))
	}
	bubbles := func() int { return value[int](b, "document.querySelectorAll('#lines .reply .bubble').length") }

	b.acts("view", "https://example.com/")
	b.sees("#lines .unseen .notice", "Accepted, but not shown")
	b.sees("#detail .verdict", "Accepted, but not shown")
	b.sees("#detail .warned", "WeChat shows no answer to VIEW")
	b.says("hello")
	b.sees("#lines .reply .bubble", "bye")
	b.sees("#follow", "follows")
	disabled(`[data-action="follow"]`, true)

	b.acts("unfollow")
	b.sees("#follow", "does not follow")
	b.sees("#lines .unseen:last-child .notice", "Accepted, but not shown")
	b.sees("#detail .warned", "WeChat shows no answer to unsubscribe")
	if n := bubbles(); n != 1 {
		t.Errorf("%d replies are shown", n)
	}
	disabled("#text", true)
	disabled("#again", false)
	disabled(`[data-action="click"]`, true)
	disabled(`[data-action="follow"]`, false)
	b.click("#again")
	b.sees("#toast", "the user does not follow the account")
	b.pictures("left", phone, desktop)
	b.click("#language")
	b.sees("#follow", "未关注")
	b.sees("#lines .unseen:last-child .notice", "会接受，但不显示")
	b.sees("#detail .warned", "微信不显示对 unsubscribe 的回复")
	b.click("#language")

	// To scan is to follow.
	b.acts("scan", "campaign-42")
	b.sees("#lines .said:nth-last-child(2) .notice", "Followed the account (QR scene campaign-42)")
	b.sees("#detail .story", "<EventKey><![CDATA[qrscene_campaign-42]]></EventKey>")
	b.sees("#follow", "follows")
	disabled("#text", false)
	b.acts("scan", "campaign-43")
	b.sees("#detail .story", "<EventKey><![CDATA[campaign-43]]></EventKey>")

	resp, err := http.Post(url+"/cgi-bin/menu/create?access_token=x", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	b.sees("#detail .calls", "not simulated")
	b.click("#language")
	b.sees("#detail .calls", "未模拟")
	p.Reset()
	b.waits("document.querySelector('#follow').hidden", "after a reset the user is known")
	b.quiet("/fake/lines") // the refusal
}
