package browser

import (
	"context"
	"testing"

	"wxgate/test/testproc"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// avatarHost has the pictures of WeChat's users, but not those of a fake one's.
const avatarHost = "thirdwx.qlogo.cn"

// goes opens an address.
func (b *tab) goes(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// follows clicks a link, and waits until the page it leads to is there.
func (b *tab) follows(selector string) {
	b.t.Helper()
	value[bool](b, "window.left = true")
	b.click(selector)
	b.waits("!window.left && document.readyState == 'complete'", selector+" leads nowhere")
}

// TestFindingsBrowserLogins: two logins at once in one browser both end well, and one whose cookies were lost on the way begins
// anew.
func TestFindingsBrowserLogins(t *testing.T) {
	p := testproc.Start(t, testproc.Env(), "dev")
	gateway := "http://" + p.Addr("listen")
	b := openTab(t, "http://"+p.Addr("fake-listen")+"/", "en-US")
	allow := func(query string) string {
		b.goes(gateway + "/oauth/login?return_to=/oauth/userinfo?" + query)
		return value[string](b, "document.querySelector('#allow').href")
	}
	first, second := allow("first"), allow("second")
	for query, link := range map[string]string{"first": first, "second": second} {
		b.goes(link)
		b.sees("body", "示例&用户😀")
		b.waits("location.search == '?"+query+"'", "the login leads elsewhere")
	}
	link := allow("lost")
	b.do("clear the cookies", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{})
		return err
	}))
	b.goes(link)
	b.waits("location.pathname == '/connect/oauth2/authorize'", "the login does not begin anew")
	b.follows("#allow")
	b.sees("body", "示例&用户😀")
	b.waits("location.search == '?lost'", "the login leads elsewhere")
	b.goes(gateway + "/oauth/callback?return_to=/oauth/userinfo&code=c&state=s")
	b.sees("body", "This login is not valid")
	b.waits("location.pathname == '/oauth/failed' && !location.search.includes('code')", "the page stays at an address with a code")
}

// TestBrowserLogin: logins as one user and as another, one that is refused, one by a QR code, one on a snapshot page.
func TestBrowserLogin(t *testing.T) {
	p := testproc.Start(t, testproc.Env(), "dev")
	chat, gateway := "http://"+p.Addr("fake-listen")+"/", "http://"+p.Addr("listen")
	b := openTab(t, chat, "en-US")
	b.click("#new-user")
	b.sees("#users [aria-pressed=true]", "User 2")

	b.goes(gateway + "/oauth/login")
	b.sees("h2", "gh_0123456789ab")
	b.sees(".asked", "see your nickname and picture")
	b.sees("#user", "示例&用户😀")
	b.pictures("authorize", phone, desktop)
	b.follows("#allow")
	b.sees("body", "示例&用户😀")
	b.goes(gateway + "/oauth/login")
	b.click("summary")
	b.pictures("authorize-users", phone, desktop)
	b.follows(".others li:first-child a")
	b.sees("#user", "示例用户2")
	b.follows("#allow")
	b.sees("body", "示例用户2")
	b.goes(gateway + "/oauth/login?scope=snsapi_base")
	b.sees("body", "示例用户2") // what a larger login showed stays

	b.goes(gateway + "/oauth/login?scope=snsapi_login")
	b.sees("h1", "Scan with WeChat to log in")
	b.sees(".phone #user", "示例用户2")
	b.pictures("scan", phone, desktop)
	b.click("summary")
	b.follows("#new-user")
	b.sees(".phone #user", "示例用户3")
	b.follows("#allow")
	b.sees("body", "示例用户3")
	b.quiet(avatarHost)

	b.goes(gateway + "/oauth/login")
	b.follows("#snapshot")
	b.sees(".banner", "virtual user")
	b.pictures("snapshot", phone, desktop)
	b.follows("#snapshot")
	b.sees("#user", "示例用户3")
	b.follows("#snapshot")
	b.follows("#allow")
	b.sees("body", "快照")
	b.goes(gateway + "/oauth/login")
	b.follows("#refuse")
	b.sees("body", "You did not agree to the login.")

	b = openTab(t, chat, "zh-CN")
	b.goes(gateway + "/oauth/login?scope=snsapi_login")
	b.sees("h1", "使用微信扫一扫登录")
	b.sees("#allow", "确认登录")
	b.pictures("scan-zh", phone, desktop)
	b.goes(gateway + "/oauth/login")
	b.sees("html", "获取你的昵称、头像")
	b.sees("#allow", "允许")
	b.pictures("authorize-zh", phone)
	b.follows("#allow")
	b.sees("body", "示例&用户😀")
	b.quiet(avatarHost)

	b.goes(chat + "connect/oauth2/authorize?appid=wx1")
	b.sees("h1", "模拟微信拒绝了这个链接")
	b.pictures("authorize-refused", phone)
}
