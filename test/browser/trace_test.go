package browser

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"wxgate/test/testproc"

	"github.com/chromedp/chromedp"
)

// TestBrowserTrace: what the gateway of dev tells: the message as protobuf, the rule, the hops, and why it refused.
func TestBrowserTrace(t *testing.T) {
	p := testproc.Start(t, testproc.Env(), "dev")
	fake := "http://" + p.Addr("fake-listen")
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
	for end := time.Now().Add(testproc.Patience); !strings.Contains(testproc.Get(t, http.DefaultClient, fake+"/fake/v1/faults"), `"wrong_signature":1`) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	b.says("forged")
	b.sees("#detail .trace", "The gateway refused it: signature.")
	if n := value[int](b, "document.querySelectorAll('#detail .trace pre').length"); n != 0 {
		t.Error("a callback that was refused has a message")
	}
	b.quiet()
}
