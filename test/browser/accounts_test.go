package browser

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// TestBrowserAccounts: two accounts side by side, of two gateways; the second is added on the page.
func TestBrowserAccounts(t *testing.T) {
	shop, club := testproc.Accounts["shop"], testproc.Accounts["club"]
	shop.Mode = sender.Safe
	gateways := map[string]*testproc.Process{}
	urls := map[string]string{}
	for name, a := range map[string]sender.Account{"shop": shop, "club": club} {
		p := testproc.Start(t, testproc.Env("WECHAT_APP_ID="+a.AppID, "WECHAT_TOKEN="+a.Token, "WECHAT_AES_KEY="+a.AESKey), "serve")
		gateways[name], urls[name] = p, "http://"+p.Addr("listen")+"/"
	}
	platform := fakewechat.New(fakewechat.Config{Account: shop, Gateway: urls["shop"]})
	site := httptest.NewServer(platform)
	t.Cleanup(site.Close)
	t.Cleanup(platform.Close)
	b := openTab(t, site.URL, "en-US")
	reply := "#lines .reply .bubble"
	b.says("hello shop")
	b.sees(reply, "hello shop")

	field := func(name, text string) {
		t.Helper()
		value[string](b, fmt.Sprintf("document.getElementById(%q).value = %q", "account-"+name, text))
	}
	b.click("#new-account")
	b.click("#account .primary")
	b.sees("#account-app_id-wrong", "this is missing")
	b.sees("#account-token-wrong", "this is missing")
	field("gateway", urls["club"])
	field("app_id", club.AppID)
	field("original_id", shop.OriginalID)
	field("token", "not the token")
	field("aes_key", club.AESKey)
	field("app_secret", club.AppSecret)
	b.click("#account .primary")
	b.sees("#account-token-wrong", "blanks")
	field("token", shop.Token)
	b.click("#account .primary")
	b.sees("#account-original_id-wrong", "this is the original id of the account "+shop.AppID)
	field("original_id", club.OriginalID)
	b.click("#account-check")
	b.sees("#account-gateway-wrong", "the status is 403, not 200: check the token")
	b.pictures("account", phone, desktop)
	b.click("#account .primary")
	b.sees("#accounts [aria-pressed=true]", club.OriginalID)

	// The wrong token: WeChat would refuse the answer.
	b.says("hello club")
	b.sees("#lines .failed", sender.ServiceFailed)
	b.sees("#detail .checks", "the status is 403, not 200")
	b.click("#settings")
	if got := value[[]string](b, "[...document.querySelectorAll('#account input')].map(e => e.value)"); len(got) != 7 || got[4]+got[5]+got[6] != "" {
		t.Errorf("the form begins with %q; want no secrets", got)
	}
	field("token", club.Token)
	b.click("#account-check")
	b.sees("#account-checked", "The gateway answered echostr")
	b.click("#account .primary")
	b.do("wait for the form to close", chromedp.WaitNotVisible("#account"))
	b.says("hello again")
	b.sees(reply, "hello again")
	b.sees("#detail .story", "hello again")
	line := b.copied("#copySend")
	b.sees("#toast", "It takes the token from WECHAT_TOKEN")
	out := shell(t, line, "WECHAT_TOKEN="+club.Token, "WECHAT_AES_KEY="+club.AESKey)
	if strings.Contains(line, club.Token) || strings.Contains(line, club.AESKey) || !strings.Contains(out, ": 200 in ") || !strings.Contains(out, "Content  hello again\n") {
		t.Errorf("%s\n%s", line, out)
	}

	// Each account has users and chats of its own, and news of the one that is not shown.
	b.click("#new-user")
	b.sees("#users [aria-pressed=true]", "User 2")
	b.click("#accounts button:first-child")
	b.sees(reply, "hello shop")
	b.sees("#users", "User 1")
	if n := value[int](b, "document.querySelectorAll('#users button').length"); n != 1 {
		t.Errorf("%d users of the first account; want 1", n)
	}
	if delivery, err := platform.SendXML(t.Context(), testproc.ComposeText(t, club.OriginalID, "news")); err != nil || len(delivery.Refused) != 0 {
		t.Fatalf("%v, refused: %q", err, delivery.Refused)
	}
	b.sees("#accounts button:last-child .unread", "•")
	b.pictures("accounts", phone, desktop)
	b.click("#accounts button:last-child")
	b.sees("#users [aria-pressed=true]", "User 2")
	b.click("#users button:first-child")
	b.sees(reply, "news")
	if n := value[int](b, "document.querySelectorAll('.unread').length"); n != 0 {
		t.Errorf("%d marks of news after all was read", n)
	}
	b.click("#language")
	b.click("#settings")
	b.sees("#account label", "AppSecret")
	b.sees("#account-check", "验证 URL")
	for name, wrong := range map[string][2]string{
		"original_id": {"", "缺少此项"}, "token": {"a b", "含有空格或控制字符"}, "aes_key": {"short", "应为 43 个字母或数字"}, "gateway": {"club", "网关的 URL 应形如"},
	} {
		field(name, wrong[0])
		b.click("#account .primary")
		b.sees("#account-"+name+"-wrong", wrong[1])
	}
	b.pictures("account-zh", phone, desktop)
	b.named()
	if strings.Contains(value[string](b, "document.documentElement.innerHTML"), club.Token) {
		t.Error("the token is on the page")
	}
	b.quiet()
	for _, p := range gateways {
		testproc.NoSecrets(t, p, sender.User)
	}
}
