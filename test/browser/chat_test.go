package browser

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// TestBrowser drives the chat page of dev as a person does.
func TestBrowser(t *testing.T) {
	p := testproc.Start(t, testproc.Env(), "dev")
	b := openTab(t, "http://"+p.Addr("fake-listen")+"/", "en-US")
	reply := "#lines .reply .bubble"
	if id := value[string](b, "document.activeElement.id"); id != "text" {
		t.Errorf("who types at once types into %q; want the message", id)
	}

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
	b.edits()
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
	p := testproc.Start(t, testproc.Env(), "dev")
	url := "http://" + p.Addr("fake-listen") + "/"
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

// TestBrowserFailure: a gateway whose answers WeChat refuses, and one that is gone.
func TestBrowserFailure(t *testing.T) {
	_, url, gateway := startSite(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	b := openTab(t, url, "en-US")
	b.says("is anybody there?")
	b.sees("#lines .failed", sender.ServiceFailed)
	b.sees("#detail .checks", "the status is 502, not 200")
	gateway.Close()
	b.says("still nobody?")
	b.sees("#lines .failed:last-child", sender.ServiceFailed)
	b.sees("#detail .checks", "no answer in three attempts")
	if n := value[int](b, `document.querySelectorAll('#detail .attempt').length`); n != 3 {
		t.Errorf("%d attempts", n)
	}
	b.pictures("failure", phone, desktop)
	b.quiet()
	if strings.Contains(b.reads(), testproc.Token) {
		t.Error("the token is on the page")
	}
}

// TestBrowserAlone: without a gateway the page says where to give one, and takes no message.
func TestBrowserAlone(t *testing.T) {
	p := fakewechat.New(fakewechat.Config{})
	site := httptest.NewServer(p)
	t.Cleanup(site.Close)
	t.Cleanup(p.Close)
	b := openTab(t, site.URL, "en-US")
	b.sees("#lines .empty", "No gateway: see ⚙")
	if hint := value[string](b, "document.getElementById('text').disabled ? document.getElementById('text').placeholder : 'enabled'"); hint != "No gateway: see ⚙" {
		t.Errorf("where to write: %q", hint)
	}
	b.quiet()
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
			sender.User, testproc.OriginalID, kind, content)
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
	answer := call("/cgi-bin/stable_token", fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, testproc.AppID, testproc.AppSecret))
	if err := json.Unmarshal(answer, &access); err != nil {
		t.Fatal(err)
	}
	p.Did(sender.User, fakewechat.Wrote)
	call("/cgi-bin/message/custom/typing?access_token=", fmt.Sprintf(`{"touser":%q,"command":"Typing"}`, sender.User))
	b.sees("#peer", "typing")
	call("/cgi-bin/message/custom/send?access_token=", fmt.Sprintf(
		`{"touser":%q,"msgtype":"msgmenu","msgmenu":{"head_content":"Happy?","list":[{"id":"1","content":"<b>Yes</b>"},{"id":"2","content":"No"}]}}`, sender.User))
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
	b.sees("#lines .failed", sender.ServiceFailed) // the reply is for another user
	b.click("#lines .failed")
	b.sees("#detail", hostile)
	if n := value[int](b, "document.querySelectorAll('img[onerror]').length"); n != 0 {
		t.Errorf("%d pictures out of an openid", n)
	}
	b.quiet()
}
