package test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"wxgate/fakewechat"
)

// screenshotsEnv names a directory where TestBrowser leaves pictures of the page for people to look at.
const screenshotsEnv = "WXGATE_SCREENSHOTS"

// tab is a page in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // of the console
}

// openTab opens a page in headless Chromium, whose user prefers a language.
func openTab(t *testing.T, url, language string) *tab {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no chromium")
		}
		t.Skip("there is no chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-background-networking", true))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil { // starts the browser
		t.Fatal(err)
	}
	b.do("open the page",
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			version, err := cdp.Call(ctx, target, browser.GetVersion, cdp.Empty{})
			if err != nil {
				return err
			}
			_, err = cdp.Call(ctx, target, emulation.SetUserAgentOverride,
				emulation.SetUserAgentOverrideParams{UserAgent: version.UserAgent, AcceptLanguage: language})
			return err
		}),
		chromedp.EmulateViewport(1440, 900), chromedp.Navigate(url), chromedp.WaitVisible("#users button"))
	return b
}

func (b *tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text + " " + fmt.Sprint(e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = "console." + string(e.Type)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			problem = e.Entry.Text + " " + e.Entry.URL
		}
	case *page.EventJavascriptDialogOpening:
		problem = "a dialog opens: " + e.Message
	}
	if problem != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, problem)
	}
}

// quiet fails where the console has an error, other than of what is named.
func (b *tab) quiet(but ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		if slices.ContainsFunc(but, func(name string) bool { return strings.Contains(problem, name) }) {
			continue
		}
		b.t.Errorf("on the console: %s", problem)
	}
}

// named fails where a control has no name for who can't see it.
func (b *tab) named() {
	b.t.Helper()
	if unnamed := value[[]string](b, `[...document.querySelectorAll('button, textarea, input, select')].filter(e => !(e.innerText || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)`); len(unnamed) != 0 {
		b.t.Errorf("without a name: %q", unnamed)
	}
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v; the page reads\n%s", what, err, b.reads())
	}
}

// reads returns all that the page says.
func (b *tab) reads() string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// value evaluates an expression in the page.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// sees waits until a part of the page, the last of its kind, reads so. (The page's policy forbids what chromedp waits by.)
func (b *tab) sees(selector, want string) {
	b.t.Helper()
	last := fmt.Sprintf("[...document.querySelectorAll(%q)].at(-1)?.textContent ?? ''", selector)
	for end := time.Now().Add(patience); !strings.Contains(value[string](b, last), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s does not read %q; the page reads\n%s", selector, want, b.reads())
		}
	}
}

// click clicks what is there; what is drawn anew meanwhile is tried again.
func (b *tab) click(selector string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		err := chromedp.Do(ctx, chromedp.Click(selector))
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("click %s: %v; the page reads\n%s", selector, err, b.reads())
		}
	}
}

// says writes a text and presses Enter.
func (b *tab) says(text string) {
	b.t.Helper()
	b.do("say "+text, chromedp.SendKeys("#text", text+"\r"))
	b.sees("#lines .mine .bubble", text)
}

// acts chooses from the + menu, fills the form where there is one, and sends it.
func (b *tab) acts(name string, values ...string) {
	b.t.Helper()
	b.click("#more")
	b.click(`[data-action="` + name + `"]`)
	if values == nil {
		return
	}
	for i, value := range values {
		b.fill(i, value)
	}
	b.click("#form .primary")
	b.do("wait for the form to close", chromedp.WaitNotVisible("#form"))
}

// fill puts a text into a field of the form.
func (b *tab) fill(i int, text string) {
	b.t.Helper()
	value[string](b, fmt.Sprintf("document.querySelectorAll('#form-fields input, #form-fields textarea')[%d].value = %q", i, text))
}

// sized gives the page a width and a color scheme; "" is the browser's own.
func (b *tab) sized(width int64, scheme string) {
	b.t.Helper()
	b.do("pose", chromedp.EmulateViewport(width, 860),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}))
}

// pictures takes screenshots, light and dark, at these widths, where somebody wants them.
func (b *tab) pictures(name string, widths ...int64) {
	b.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range widths {
			b.sized(width, scheme)
			if tooWide := value[int](b, "document.documentElement.scrollWidth - innerWidth"); tooWide > 0 {
				b.t.Errorf("%s: %d pixels wider than %d", name, tooWide, width)
			}
			if dir == "" {
				continue
			}
			time.Sleep(200 * time.Millisecond) // for what moves
			png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				b.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), png, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.sized(desktop, "")
}

// Widths of the screen, in pixels.
const (
	phone   = 390
	desktop = 1440
)

// TestBrowser drives the chat page of dev as a person does.
func TestBrowser(t *testing.T) {
	p := start(t, env(), "dev")
	b := openTab(t, "http://"+p.addr("fake-listen")+"/", "en-US")
	reply := "#lines .reply .bubble"

	b.acts("follow", "")
	b.sees("#lines .said .notice", "Followed the account")
	b.sees(reply, "Thank you for your attention!")
	b.says("hello wxgate")
	b.sees(reply, "hello wxgate")
	b.sees("#detail .verdict", "WeChat would accept it")
	b.sees("#detail .attempt", "signature=")
	b.sees("#detail .attempt", "<Encrypt>")
	b.acts("location", "23.134521", "113.358800", "Canton Tower")
	b.sees(reply, "(23.134521, 113.358800)ofCanton Tower!")
	b.acts("click", "V1_HELP")
	b.sees("#lines .said .notice", "Tapped the menu (V1_HELP)")
	b.acts("scan", "campaign-42")
	b.sees("#lines .said .notice", "Scanned a QR code (scene campaign-42)")
	b.acts("image", "")
	b.sees(reply, "Good picture")

	b.says("slow 1")
	b.sees("#lines .theirs:not(.reply) .bubble", "That took 1 s.")
	b.sees("#lines .theirs:not(.reply) .note", "customer service")
	b.sees("#detail .calls", "/cgi-bin/message/custom/send")
	b.pictures("en", phone, desktop)

	// On a phone what happened lies over the chat.
	b.sized(phone, "")
	b.click("#more")
	b.pictures("menu", phone)
	b.sized(phone, "")
	b.do("press Escape", chromedp.KeyEvent("\x1b"))
	b.click("#lines .reply:last-of-type, #lines .mine:nth-last-child(2)")
	b.do("see what happened", chromedp.WaitVisible("#detail .attempt"))
	b.pictures("inspector", phone)
	b.sized(phone, "")
	b.click("#close")
	b.do("see the chat", chromedp.WaitNotVisible("#inspector"))
	b.sized(desktop, "")

	// What is hostile stays text, and a link that is none is inert.
	hostile := `<img src=x onerror=alert(1)><a href="javascript:alert(2)">one</a><a href="https://example.com/?a=1">two</a>`
	b.says(hostile)
	b.sees(reply, "<img src=x onerror=alert(1)>onetwo")
	if links := value[[]string](b, `[...document.querySelectorAll('#lines .reply:last-child a')].map(a => a.href + ' ' + a.rel + ' ' + a.innerText)`); len(links) != 1 ||
		links[0] != "https://example.com/?a=1 noopener noreferrer two" {
		t.Errorf("links %q", links)
	}
	if n := value[int](b, `document.querySelectorAll('#lines img, #detail img, [style*=url]').length`); n != 0 {
		t.Errorf("%d pictures out of a text", n)
	}

	// Again, with another text, and broken.
	b.click("#again")
	b.sees("#detail .verdict", "WeChat would accept it")
	b.click("#edit")
	b.fill(0, "<xml><broken")
	b.click("#form .primary")
	b.sees("#form-problem", "not XML")
	edited := `<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oSomebody</FromUserName><CreateTime>1</CreateTime>` +
		`<MsgType>text</MsgType><Content>edited</Content><MsgId>77</MsgId></xml>`
	b.fill(0, edited)
	b.click("#form .primary")
	b.sees("#users button", "User 2")
	b.click("#users button:last-child")
	b.sees(reply, "edited")

	// By keyboard alone: a line, its details, and back.
	b.do("press keys", chromedp.Focus("#lines .mine"), chromedp.KeyEvent("\r"))
	b.sees("#detail .attempt", "<Content>edited</Content>")
	b.do("press Escape", chromedp.KeyEvent("\x1b"))
	b.sees("#detail", "Choose a message")
	b.click("#new-user")
	b.sees("#users button[aria-pressed=true]", "User 3")
	b.sees("#lines", "No messages yet")

	b.named()
	b.quiet()
}

// TestBrowserChinese: the browser's language, the other one by a button, and several pages at once.
func TestBrowserChinese(t *testing.T) {
	p := start(t, env(), "dev")
	url := "http://" + p.addr("fake-listen") + "/"
	b := openTab(t, url, "zh-CN")
	b.sees("h1", "模拟微信")
	other := openTab(t, url, "en-US")
	b.acts("follow", "")
	other.sees("#lines .notice", "Followed the account")
	b.sees("#lines .said .notice", "关注了公众号")
	b.says("你好，世界 😀")
	b.sees("#lines .reply .bubble", "你好，世界 😀")
	other.sees("#lines .reply .bubble", "你好，世界 😀")
	b.acts("voice", "今天天气怎么样")
	b.sees("#lines .reply .bubble", "今天天气怎么样")
	b.acts("location", "23.134521", "113.358800", "广州塔")
	b.sees("#lines .reply .bubble", "广州塔")
	b.acts("link", "https://example.com/", "示例标题", "示例描述")
	b.sees("#detail .attempt", "success：不回复")
	b.pictures("zh", phone, desktop)
	b.click("#language")
	b.sees("h1", "Fake WeChat")
	b.sees("#lines .said .bubble", "示例标题")
	b.quiet()
	other.quiet()
}

// startSite serves a platform for a gateway that plays wxgate's part.
func startSite(t *testing.T, gateway http.HandlerFunc) (p *fakewechat.Platform, url string, gw *httptest.Server) {
	t.Helper()
	gw = httptest.NewServer(gateway)
	t.Cleanup(gw.Close)
	account := fakewechat.Account{AppID: appID, AppSecret: appSecret, Token: token, OriginalID: gh}
	p = fakewechat.New(fakewechat.Config{Account: account, Gateway: gw.URL})
	site := httptest.NewServer(p)
	t.Cleanup(site.Close)
	t.Cleanup(p.Close)
	return p, site.URL, gw
}

// TestBrowserFailure: a gateway whose answers WeChat refuses, and one that is gone.
func TestBrowserFailure(t *testing.T) {
	_, url, gateway := startSite(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	b := openTab(t, url, "en-US")
	b.says("is anybody there?")
	b.sees("#lines .failed", fakewechat.ServiceFailed)
	b.sees("#detail .checks", "the status is 502, not 200")
	gateway.Close()
	b.says("still nobody?")
	b.sees("#lines .failed:last-child", fakewechat.ServiceFailed)
	b.sees("#detail .checks", "no answer in three attempts")
	if n := value[int](b, `document.querySelectorAll('#detail .attempt').length`); n != 3 {
		t.Errorf("%d attempts", n)
	}
	b.pictures("failure", phone, desktop)
	b.quiet()
	if strings.Contains(b.reads(), token) {
		t.Error("the token is on the page")
	}
}

// TestBrowserReplies: all that an account can say, passive and pushed, with hostile addresses in it, and its typing.
func TestBrowserReplies(t *testing.T) {
	const evil, good = "javascript:alert(1)", "https://example.com/a"
	article := func(url string) string {
		return "<item><Title>An &lt;i&gt;article&lt;/i&gt;</Title><Description>What it is about</Description><PicUrl>" + evil + "</PicUrl><Url>" + url + "</Url></item>"
	}
	replies := map[string]string{ // by what the user writes
		"image": "<Image><MediaId>picture-1</MediaId></Image>",
		"voice": "<Voice><MediaId>voice-1</MediaId></Voice>",
		"video": "<Video><MediaId>video-1</MediaId><Title>A film</Title><Description>Silent</Description></Video>",
		"music": "<Music><Title>A song</Title><Description>Loud</Description><MusicUrl>" + evil + "</MusicUrl><ThumbMediaId>thumb-1</ThumbMediaId></Music>",
		"news":  "<ArticleCount>1</ArticleCount><Articles>" + article(evil) + "</Articles>",
	}
	p, url, _ := startSite(t, func(w http.ResponseWriter, r *http.Request) {
		var said struct{ Content, MsgType string }
		if err := xml.NewDecoder(r.Body).Decode(&said); err != nil {
			t.Error(err)
		}
		kind, content := said.Content, replies[said.Content]
		if said.MsgType == "event" {
			kind, content = "news", "<ArticleCount>2</ArticleCount><Articles>"+article(good)+article(good)+"</Articles>"
		}
		fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>%s</MsgType>%s</xml>",
			fakewechat.User, gh, kind, content)
	})
	b := openTab(t, url, "en-US")
	for _, test := range []struct{ kind, want string }{
		{"image", "picture-1"}, {"voice", "voice-1"}, {"video", "A film"}, {"music", "A song"}, {"news", "An <i>article</i>"},
	} {
		b.says(test.kind)
		b.sees("#lines .reply .bubble", test.want)
	}
	if n := value[int](b, "document.querySelectorAll('#lines a, #lines img').length"); n != 0 {
		t.Errorf("%d links or pictures of hostile addresses", n)
	}
	b.acts("click", "news")
	b.sees("#lines .reply:last-child .article.more", "An <i>article</i>")
	if links := value[[]string](b, "[...document.querySelectorAll('#lines a')].map(a => a.href)"); len(links) != 2 || links[0] != good {
		t.Errorf("links %q", links)
	}

	var access struct {
		Token string `json:"access_token"`
	}
	call := func(path, body string) []byte {
		t.Helper()
		resp, err := http.Post(url+path+access.Token, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || strings.Contains(string(answer), "errmsg") && !strings.Contains(string(answer), `"errcode":0`) {
			t.Fatalf("%s: %s, %v", path, answer, err)
		}
		return answer
	}
	answer := call("/cgi-bin/stable_token", fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, appID, appSecret))
	if err := json.Unmarshal(answer, &access); err != nil {
		t.Fatal(err)
	}
	p.Did(fakewechat.User, fakewechat.Wrote)
	call("/cgi-bin/message/custom/typing?access_token=", fmt.Sprintf(`{"touser":%q,"command":"Typing"}`, fakewechat.User))
	b.sees("#peer", "typing")
	call("/cgi-bin/message/custom/send?access_token=", fmt.Sprintf(
		`{"touser":%q,"msgtype":"msgmenu","msgmenu":{"head_content":"Happy?","list":[{"id":"1","content":"<b>Yes</b>"},{"id":"2","content":"No"}]}}`, fakewechat.User))
	b.sees("#lines .theirs:last-child .bubble", "<b>Yes</b>")
	b.sees("#peer", "Official account")
	b.pictures("replies", phone, desktop)
	b.click("#lines .theirs:last-child li:first-child a")
	b.sees("#lines .mine .bubble", "<b>Yes</b>")
	b.sees("#detail .story", "<bizmsgmenuid><![CDATA[1]]></bizmsgmenuid>")

	const hostile = `"><img src=x onerror=alert(1)>`
	if _, err := p.SendFrom(t.Context(), hostile, "text", "music"); err != nil {
		t.Fatal(err)
	}
	b.sees("#users button", "User 2")
	if title := value[string](b, "document.querySelector('#users button:last-child').title"); title != hostile {
		t.Errorf("the user is %q; want %q", title, hostile)
	}
	b.click("#users button:last-child")
	b.sees("#lines .said .bubble", "music")
	b.sees("#lines .failed", fakewechat.ServiceFailed) // the reply is for another user
	b.click("#lines .failed")
	b.sees("#detail", hostile)
	if n := value[int](b, "document.querySelectorAll('img[onerror]').length"); n != 0 {
		t.Errorf("%d pictures out of an openid", n)
	}
	b.quiet()
}

// TestBrowserFaults: what goes wrong on purpose is set in the dialog, strikes, shows on all pages, and ends, in both languages.
func TestBrowserFaults(t *testing.T) {
	p, url, _ := startSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") })
	b, other := openTab(t, url, "en-US"), openTab(t, url, "zh-CN")
	open := func(b *tab) {
		t.Helper()
		b.click("#faults")
		b.do("see the dialog", chromedp.WaitVisible("#misbehave[open]"))
	}
	closed := func(b *tab) {
		t.Helper()
		b.do("wait for the dialog to close", chromedp.WaitNotVisible("#misbehave"))
	}
	set := func(b *tab, name, text string) {
		t.Helper()
		value[string](b, fmt.Sprintf("document.querySelector('#fault-%s').value = %q", name, text))
	}
	b.pictures("empty", phone, desktop)
	open(b)
	b.click("[data-fault=lose] .presets label:last-child")
	b.pictures("faults-en", phone, desktop)
	b.click("#apply")
	closed(b)
	if got := p.Faults(); got.Lose != 1 || got.Seed == 0 {
		t.Errorf("the faults are %v; want lose=1 and a seed", got)
	}
	for _, page := range []*tab{b, other} {
		page.sees("#faults-on", "1")
	}
	if title := value[string](other, "document.querySelector('#faults').title"); title != "已开启：丢失 100 %" {
		t.Errorf("the badge says %q", title)
	}
	b.says("is anybody there?")
	b.sees("#lines .failed", fakewechat.ServiceFailed)
	b.sees("#detail #refused", "no answer in three attempts")
	b.sees("#detail .attempt .tag", "Lost")
	if n := value[int](b, "document.querySelectorAll('#detail .attempt .verdict.bad').length"); n != 3 {
		t.Errorf("%d attempts failed; want 3", n)
	}
	b.pictures("lost-en", phone, desktop)
	other.click("#lines .failed")
	other.sees("#detail #refused", "三次推送都没有得到应答")
	other.sees("#detail .attempt .checks", "5.0 秒内没有应答：超时")
	other.sees("#detail .attempt .tag", "丢失")
	other.pictures("lost-zh", phone, desktop)
	other.sized(phone, "")
	other.do("close what happened", chromedp.Click("#close"))
	other.sized(desktop, "")

	open(other)
	if got := value[string](other, "document.querySelector('#fault-lose').value"); got != "100" {
		t.Errorf("the dialog has lose %q; want 100", got)
	}
	other.click("#all-off")
	closed(other)
	for _, page := range []*tab{b, other} {
		page.sees("#faults-on", "0")
	}
	if got := p.Faults(); got.String() != "none" {
		t.Errorf("the faults are %v; want none", got)
	}
	b.says("and now?")
	b.sees("#detail .verdict", "WeChat would accept it")

	// Every fault, and the API's.
	open(other)
	set(other, "delay", "20ms")
	set(other, "clock", "-1h")
	set(other, "unknown_type", "33.3")
	set(other, "seed", "7")
	other.click("#fault-api_errors")
	other.click("#apply")
	closed(other)
	if got, want := p.Faults().String(), "seed=7,delay=20ms,clock=-1h0m0s,unknown_type=0.333,api_errors.45009=0.1"; got != want {
		t.Errorf("the faults are %s; want %s", got, want)
	}
	other.sees("#faults-on", "4")
	open(other)
	other.click("#fail")
	other.sees("#misbehave-said", "接下来的调用会失败")
	other.click("#expire")
	other.sees("#misbehave-said", "42001")
	for _, width := range []int64{phone, desktop} {
		other.sized(width, "")
		value[int](other, "document.querySelector('#misbehave').scrollTop = 1e6")
		other.pictures("faults-zh", width)
	}
	other.quiet()
	b.quiet()

	// What the platform refuses is said at its field. (A refusal is on the browser's console.)
	set(other, "lose", "200")
	set(other, "delay", "long")
	set(other, "seed", "-1")
	other.click("#fault-api_errors") // a second one of the same
	other.click("#apply")
	other.sees("#fault-api_errors-wrong", "出现了两次")
	other.click("[data-fault=api_errors] li .round")
	other.click("#apply")
	other.sees("#fault-lose-wrong", "必须在 0 到 100 之间")
	other.sees("#fault-delay-wrong", "0s 到 1m0s 的时长")
	other.sees("#fault-seed-wrong", "整数")
	other.pictures("faults-wrong", phone, desktop)
	value[string](other, "document.querySelector('#fail-n').value = 'many'")
	other.click("#fail")
	other.sees("#misbehave-said", `"n" must not be a JSON string`)
	if got := p.Faults(); got.Lose != 0 || got.Seed != 7 {
		t.Errorf("the faults are %v; want those of before", got)
	}
	if unnamed := value[[]string](other, `[...document.querySelectorAll('button, textarea, input, select')].filter(e => !(e.innerText || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)`); len(unnamed) != 0 {
		t.Errorf("without a name: %q", unnamed)
	}
}

// TestBrowserForeign: another origin's page can neither make the platform do something, nor read what it knows.
func TestBrowserForeign(t *testing.T) {
	sent := make(chan struct{}, 100)
	p, url, _ := startSite(t, func(http.ResponseWriter, *http.Request) { sent <- struct{}{} })
	before := p.SetFaults(fakewechat.Faults{Clock: time.Second})
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if path := r.URL.Query().Get("post"); path != "" { // as a form of that page
			fmt.Fprintf(w, `<form method="post" action="%s%s" enctype="%s"><input name='{"kind":"text","args":["form"],"x":"' value='"}'>`+
				`<input name="kind" value="text"><input name="arg" value="form"></form><script>document.forms[0].submit()</script>`, url, path, r.URL.Query().Get("as"))
			return
		}
		_, _ = io.WriteString(w, "<p id=users><button>foreign</button></p>")
	}))
	t.Cleanup(foreign.Close)
	for _, at := range []string{foreign.URL, strings.Replace(foreign.URL, "127.0.0.1", "localhost", 1)} { // of one site with the platform, and of another
		b := openTab(t, at, "en-US")
		b.do("call the platform", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
			const text = JSON.stringify({ user: 'o', kind: 'text', args: ['hi'] });
			const calls = [
				['/fake/lines', { method: 'POST', body: text }], ['/fake/lines', { method: 'POST', body: text, headers: { 'Content-Type': 'application/json' } }],
				['/fake/users', { method: 'POST', body: '{}' }], ['/fake/send', { method: 'POST', body: new URLSearchParams({ kind: 'text', arg: 'hi' }) }],
				['/fake/told', { method: 'POST', body: '<xml></xml>' }], ['/fake/v1/messages', { method: 'POST', body: text }],
				['/fake/v1/faults', { method: 'PUT', body: '{"lose":1}' }], ['/fake/v1/reset', { method: 'POST' }],
				['/fake/events'], ['/fake/log'], ['/fake/v1/faults'],
			].flatMap(([path, init]) => ['cors', 'no-cors'].map(mode => fetch(%q + path, { ...init, mode }).then(answer => answer.text()).catch(() => '')));
			Promise.all(calls).then(texts => { document.querySelector('#users').textContent = 'read: ' + texts.join(''); });
		}`, url)))
		b.sees("#users", "read: ")
		if got := value[string](b, "document.querySelector('#users').textContent"); got != "read: " {
			t.Errorf("a foreign page %s", got)
		}
		for _, path := range []string{"/fake/send", "/fake/lines", "/fake/users", "/fake/v1/messages", "/fake/v1/reset"} {
			for _, as := range []string{"text/plain", "application/x-www-form-urlencoded"} {
				b.do("post a form", chromedp.Navigate(at+"/?post="+path+"&as="+as))
				b.sees("body", "cross-origin")
			}
		}
	}
	if len(sent) > 0 || p.Faults().String() != before.String() {
		t.Errorf("%d messages were sent, and the faults are %v", len(sent), p.Faults())
	}
	b := openTab(t, url, "en-US")
	if n := value[int](b, "document.querySelectorAll('#users button').length"); n != 1 {
		t.Errorf("%d users; want one", n)
	}
	b.says("hi")
	<-sent // so that the channel is known to work
	b.quiet()
}

// TestBrowserTrace: what the gateway of dev tells: the message as protobuf, the rule, the hops, and why it refused.
func TestBrowserTrace(t *testing.T) {
	p := start(t, env(), "dev")
	fake := "http://" + p.addr("fake-listen")
	b := openTab(t, fake+"/", "en-US")
	b.says("hello <b>trace</b>")
	b.sees("#detail .trace dl", "Ruleecho built-in rules:")
	b.sees("#detail .trace", "check, open, decode")
	b.sees("#detail .trace", "call the replier")
	b.sees("#detail .trace pre", `"content": "hello <b>trace</b>"`)
	b.click("#detail .trace summary")
	b.do("see the message", chromedp.WaitVisible("#detail .trace pre"))
	if outside := value[int](b, `[...document.querySelectorAll('.hops .bar')].filter(e => { const b = e.getBoundingClientRect(), t = e.parentElement.getBoundingClientRect(); return b.width <= 0 || b.left < t.left || b.right > t.right + 1; }).length`); outside != 0 {
		t.Errorf("%d bars are not on their tracks", outside)
	}
	b.pictures("trace", desktop)
	b.says("slow 1")
	b.sees("#detail .trace", "forward to handler:slow")
	b.sees("#detail .trace", "not ready in time: the message is stored, and answered later")
	b.pictures("trace-slow", desktop)
	b.acts("view", "https://example.com/")
	b.sees("#detail .trace", "none: no rule matches")

	b.click("#language")
	b.sees("#detail .trace h4", "网关里")
	b.sees("#detail .trace", "没有匹配的规则")
	b.click("#lines .mine")
	b.sees("#detail .trace", "验签、解密、解析")
	b.pictures("trace-zh", phone, desktop)
	b.click("#language")

	value[int](b, `(fetch('/fake/v1/faults', {method: 'PUT', body: '{"wrong_signature": 1}'}), 0)`)
	for end := time.Now().Add(patience); !strings.Contains(get(t, http.DefaultClient, fake+"/fake/v1/faults"), `"wrong_signature":1`) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	b.says("forged")
	b.sees("#detail .trace", "The gateway refused it: signature.")
	if n := value[int](b, "document.querySelectorAll('#detail .trace pre').length"); n != 0 {
		t.Error("a callback that was refused has a message")
	}
	b.quiet()
}
