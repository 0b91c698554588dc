package browser

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// repliesWith answers each callback with a reply's elements.
func repliesWith(elements string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime>%s</xml>", sender.User, testproc.OriginalID, elements)
	}
}

// TestFindingsBrowserPictures: pictures over http load; one that does not says why.
func TestFindingsBrowserPictures(t *testing.T) {
	t.Parallel()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/p.png" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(picture.Bytes())
	}))
	t.Cleanup(pictures.Close)
	article := func(picture string) string {
		return "<item><Title>A title</Title><PicUrl>" + picture + "</PicUrl><Url>https://example.com/</Url></item>"
	}
	_, url, _ := startSite(t, repliesWith("<MsgType>news</MsgType><ArticleCount>3</ArticleCount><Articles>"+
		article(pictures.URL+"/gone.png")+article(pictures.URL+"/p.png")+article("ftp://example.com/p.png")+"</Articles>"))
	b := openTab(t, url, "en-US")
	b.acts("click", "news")
	b.waits(fmt.Sprintf("document.querySelector('#lines .article .still')?.textContent.includes(%q)", "not loaded from "+pictures.URL), "no reason for the picture that is gone")
	b.waits("document.querySelector('#lines .article.more img')?.naturalWidth === 4", "the picture is not loaded")
	b.waits("document.querySelector('#lines .article:last-child .still').textContent.includes('not an http address')", "no reason for ftp")
	b.acts("image", pictures.URL+"/p.png")
	b.waits("document.querySelector('#lines .mine img')?.naturalWidth === 4", "the user's picture is not loaded")
	b.pictures("pictures", phone, desktop)
	b.quiet("/gone.png")
}

// TestFindingsBrowserLongText: nothing is cut; what cannot be sent stays, and the page says why.
func TestFindingsBrowserLongText(t *testing.T) {
	t.Parallel()
	came := make(chan int, 1)
	_, url, _ := startSite(t, func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		came <- strings.Count(body.String(), "长")
	})
	b := openTab(t, url, "en-US")
	write := func(n int) {
		t.Helper()
		b.do("write", chromedp.SendKeys("#text", "x"))
		value[string](b, fmt.Sprintf("document.querySelector('#text').setRangeText('长'.repeat(%d), 0, 1); ''", n))
		b.click("#send")
	}
	write(3000)
	if n := <-came; n != 3000 {
		t.Errorf("%d of 3000 characters were sent", n)
	}
	write(40_000)
	b.sees("#toast", "Too long to send")
	if n := value[int](b, "document.querySelector('#text').value.length"); n != 40_000 {
		t.Errorf("%d of 40000 characters are left to shorten", n)
	}
	b.quiet()
}

// TestFindingsBrowserManyUsers: the chosen user's button is in sight after a reload, who has news is marked out of sight too,
// and a list has all.
func TestFindingsBrowserManyUsers(t *testing.T) {
	t.Parallel()
	p, url, _ := startSite(t, func(http.ResponseWriter, *http.Request) {})
	for i := range 13 {
		if _, err := p.SendFrom(t.Context(), fmt.Sprintf("oUser%02d", i), "text", "hi"); err != nil {
			t.Fatal(err)
		}
	}
	b := openTab(t, url, "en-US")
	inSight := `(() => {
		const row = document.querySelector('#users').getBoundingClientRect(), chip = document.querySelector('#users [aria-pressed="true"]').getBoundingClientRect();
		return chip.left >= row.left - 1 && chip.right <= row.right + 1;
	})()`
	b.click("#all-users")
	b.pictures("people", phone, desktop)
	b.click("#people-list li:last-child button")
	b.sees("#users [aria-pressed=true]", "User 14")
	b.waits(inSight, "the chosen user is out of sight")
	b.do("reload", chromedp.Reload(), chromedp.WaitVisible("#users button"))
	b.sees("#users [aria-pressed=true]", "User 14")
	b.waits(inSight, "after a reload the chosen user is out of sight")

	if _, err := p.SendFrom(t.Context(), "oUser00", "text", "news"); err != nil {
		t.Fatal(err)
	}
	b.sees("#all-users .badge:not([hidden])", "1")
	b.pictures("users", phone, desktop)
	b.click("#all-users")
	b.sees("#people-list li:nth-child(2)", "•")
	b.named()
	b.click("#people-list li:nth-child(2) button")
	b.sees("#users [aria-pressed=true]", "User 2")
	b.waits("document.querySelector('#all-users .badge').hidden", "who was read is still marked")

	// So are accounts.
	for i := range 5 {
		account := sender.Account{AppID: fmt.Sprintf("wx%016d", i), OriginalID: fmt.Sprintf("gh_%012d", i), Token: testproc.Token}
		if err := p.Put(account, ""); err != nil {
			t.Fatal(err)
		}
	}
	b.click("#all-accounts")
	b.click("#people-list li:last-child button")
	b.sees("#accounts [aria-pressed=true]", "gh_000000000004")
	b.sees("#peer-id", "gh_000000000004")
	b.quiet()
}

// TestFindingsBrowserLandscape: a phone on its side has room for the chat.
func TestFindingsBrowserLandscape(t *testing.T) {
	t.Parallel()
	_, url, _ := startSite(t, repliesWith("<MsgType>text</MsgType><Content>hello</Content>"))
	b := openTab(t, url, "en-US")
	b.says("hello")
	b.sees("#lines .reply .bubble", "hello")
	b.do("turn", chromedp.EmulateViewport(740, 360))
	b.waits("document.querySelector('#lines').clientHeight >= 150", "the chat is too low")
	if over := value[int](b, "Math.max(document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight)"); over > 0 {
		t.Errorf("%d pixels too large", over)
	}
	b.picture("landscape")
	b.quiet()
}

// TestFindingsBrowserLog: the log is in the page's language, and its times do not wrap.
func TestFindingsBrowserLog(t *testing.T) {
	t.Parallel()
	_, url, _ := startSite(t, repliesWith("<MsgType>text</MsgType><Content>hello</Content>"))
	b := openTab(t, url, "en-US")
	b.says("hello")
	b.sees("#lines .reply .bubble", "hello")
	b.click("#language")
	b.click("#log")
	b.sees("h1", "模拟微信：日志")
	b.sees("td:nth-child(2)", "第 1 次")
	for _, width := range []int64{phone, desktop} {
		b.sized(width, "dark")
		if lines := value[int](b, "Math.round(document.querySelector('td').scrollHeight / parseFloat(getComputedStyle(document.body).lineHeight))"); lines < 1 || value[bool](b,
			"getComputedStyle(document.querySelector('td')).whiteSpace !== 'nowrap'") {
			t.Errorf("at %d pixels the time wraps", width)
		}
	}
	b.pictures("log", phone, desktop)
	b.click("#language")
	b.sees("h1", "Fake WeChat: log")
	b.quiet()
}

// TestFindingsBrowserRulesRejected: a rules file that is rejected after a change shows on the page, until it is good again.
func TestFindingsBrowserRulesRejected(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "rules:\n  - name: all\n    reply: {text: OLD}\n"
	write(good)
	p := testproc.Start(t, testproc.Env(), "dev", "--rules", rules)
	b := openTab(t, "http://"+p.Addr("fake-listen")+"/", "en-US")
	write(good + "  - name: all\n    replay: {text: NEW}\n")
	b.sees("#problems", "The rules file is rejected; the rules from before are still used:")
	b.sees("#problems code", "rules.yaml:5")
	b.pictures("problems", phone, desktop)
	b.click("#language")
	b.sees("#problems", "规则文件有误，没有生效，仍在使用之前的规则：")
	b.says("hello")
	b.sees("#lines .reply .bubble", "OLD")
	write(strings.Replace(good, "OLD", "NEW", 1))
	b.waits("document.querySelector('#problems').hidden", "the problem stays")
	b.says("hello again")
	b.sees("#lines .reply .bubble", "NEW")
	b.quiet()
}
