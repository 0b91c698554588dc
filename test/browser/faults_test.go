package browser

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"wxgate/fakewechat/sender"
)

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
	b.sees("#lines .failed", sender.ServiceFailed)
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
	other.named()
}
