package browser

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"wxgate/test/testproc"

	"github.com/chromedp/chromedp"
)

// types writes into the field of the form that has that label, the n-th of them, as a person does.
func (b *tab) types(label string, n int, text string) {
	b.t.Helper()
	value[bool](b, fmt.Sprintf(`(() => {
		const field = [...document.querySelectorAll('#form-fields label')].filter(l => l.querySelector('span').textContent === %q)[%d].querySelector('input, textarea, select');
		field.value = %q;
		field.dispatchEvent(new Event('input', { bubbles: true }));
		return true;
	})()`, label, n, text))
}

// edits opens the callback of the line that is shown as XML.
func (b *tab) edits() {
	b.t.Helper()
	b.click("#edit")
	b.waits("!!document.querySelector('#form[open] #form-fields textarea.code')", "the editor does not open")
}

// opens opens the form of a kind, found by what is searched.
func (b *tab) opens(search, kind string) {
	b.t.Helper()
	b.click("#more")
	b.click(`[data-action="kinds"]`)
	b.do("search "+search, chromedp.WaitVisible("#kind-search"), chromedp.SendKeys("#kind-search", search))
	b.sees("#kind option:checked", kind)
	b.sees("#kind-name", kind)
}

// TestBrowserForms composes what the + menu has no action for, as a form and as XML, and copies it.
func TestBrowserForms(t *testing.T) {
	p := testproc.Start(t, testproc.Env(), "dev")
	b := openTab(t, "http://"+p.Addr("fake-listen")+"/", "en-US")
	reply := "#lines .reply .bubble"

	b.opens("pic_weixin", "pic_weixin")
	b.types("Count", 0, "2")
	b.types("PicMd5Sum", 0, "first & <last>")
	b.do("press a key", chromedp.Focus(".items .items ~ button"), chromedp.KeyEvent("\r"))
	b.types("PicMd5Sum", 1, "second")
	b.pictures("forms", phone, desktop)
	b.click("#form .primary")
	b.sees("#lines .said .notice", "Event pic_weixin rselfmenu_1_2")
	b.sees("#detail .story", "<PicMd5Sum><![CDATA[first & <last>]]></PicMd5Sum>\n</item>\n<item>\n<PicMd5Sum><![CDATA[second]]></PicMd5Sum>")
	b.sees("#detail .verdict", "WeChat would accept it")

	// A number that is none is not sent; an item that was removed is not in the XML.
	b.opens("filetotal", "file")
	b.types("FileTotalLen", 0, "many")
	b.click("#form .primary")
	if !value[bool](b, "document.querySelector('#form-fields input:invalid') !== null && document.querySelector('#form').open") {
		t.Error("a number that is none was sent")
	}
	b.types("FileTotalLen", 0, "9007199254740993")
	b.click("#as-xml")
	b.sees("#form-title", "Edit XML")
	xml := value[string](b, "document.querySelector('#form-fields textarea').value")
	if !strings.Contains(xml, "<FileTotalLen>9007199254740993</FileTotalLen>") {
		t.Errorf("got\n%s", xml)
	}

	// As XML: what is wrong is said while it is written, and is sent by a button of its own.
	b.types("XML of the callback", 0, "<xml>\n<Content>a</xml>")
	b.sees("#form-problem", "XML syntax error on line 2")
	b.pictures("broken", phone, desktop)
	b.click("#form .primary")
	b.sees("#form-problem", "XML syntax error on line 2")
	b.click("#anyway")
	b.sees("#lines .mine .bubble", "Broken XML")
	b.sees("#detail .checks", "the status is 400, not 200")
	b.sees("#detail .story", "<Content>a</xml>")
	b.click("#again")
	b.sees("#lines .failed ~ .mine .bubble", "Broken XML")
	b.sees("#detail .checks", "the status is 400, not 200")
	line := b.copied("#copySend")
	if out := shell(t, line); !strings.Contains(out, "the status is 400, not 200") {
		t.Errorf("%s\n%s", line, out)
	}

	b.edits()
	b.types("XML of the callback", 0, strings.Replace(xml, "示例标题", "It's a file", 1))
	b.click("#form .primary")
	b.sees("#lines .mine .bubble", "It's a file")
	b.sees("#detail .story", "It's a file")
	b.sees("#detail .verdict", "WeChat would accept it")

	// What is copied says the same to the gateway.
	line = b.copied("#copySend")
	if out := shell(t, line); !strings.Contains(line, "send ") || !strings.Contains(line, " xml ") || !strings.Contains(out, ": 200 in ") {
		t.Errorf("%s\n%s", line, out)
	}
	for _, text := range []string{"it's 5 > 3 & \"so\" $HOME", "-5"} {
		b.says(text)
		b.sees(reply, text)
		b.sees("#detail .story", "<![CDATA["+text+"]]>")
		b.sees("#detail .verdict", "WeChat would accept it")
		line = b.copied("#copySend")
		if out := shell(t, line); strings.Contains(line, "<xml>") || !strings.Contains(out, "Content  "+text+"\n") {
			t.Errorf("%s\n%s", line, out)
		}
		line = b.copied("#copyCurl")
		b.sees("#toast", "5 minutes")
		if _, err := exec.LookPath("curl"); err != nil {
			t.Log("there is no curl")
		} else if out := shell(t, line); !strings.Contains(line, "<Encrypt>") || !strings.Contains(out, "<ToUserName>") && !strings.Contains(out, "<Encrypt>") {
			t.Errorf("%s\n%s", line, out)
		}
	}

	// A link of a text is an item of a menu message.
	b.says(`<a href="weixin://bizmsgmenu?msgmenucontent=Yes, 好&msgmenuid=101">Of course</a>`)
	b.sees(reply, "Of course")
	b.click("#lines .reply:last-child a")
	b.sees("#lines .mine .bubble", "Yes, 好")
	b.sees("#detail .story", "<bizmsgmenuid><![CDATA[101]]></bizmsgmenuid>")
	b.sees(reply, "Yes, 好")

	b.opens("location_x", "location")
	b.named()
	b.click("#form-cancel")
	b.click("#language")
	b.opens("ticket", "subscribe")
	b.sees("#form-title", "任意消息或事件")
	b.pictures("forms-zh", phone, desktop)
	b.click("#form .primary")
	b.sees("#lines .said .notice", "关注了公众号（二维码场景 campaign-42）")
	b.quiet()
}
