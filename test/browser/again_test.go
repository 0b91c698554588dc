package browser

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"wxgate/test/testproc"
)

var msgID = regexp.MustCompile(`<MsgId>\d+</MsgId>`)

// TestFindingsBrowserSendAgain: what is sent again, edited or copied is a new message; a retry has a button of its own.
func TestFindingsBrowserSendAgain(t *testing.T) {
	t.Parallel()
	came := make(chan string, 10)
	_, url, _ := startSite(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		came <- string(body)
	})
	b := openTab(t, url, "en-US")
	b.says("hello")
	first := <-came
	b.sees("#detail .story", msgID.FindString(first))
	b.click("#retry")
	if retry := <-came; retry != first {
		t.Errorf("a retry is\n%s\nat first\n%s", retry, first)
	}
	b.click("#again")
	again := <-came
	if msgID.FindString(again) == msgID.FindString(first) {
		t.Error("sent again it has the same MsgId")
	}
	b.sees("#detail .story", msgID.FindString(again))

	// The editor begins with a new one; who writes the MsgId of another hears what that means.
	xml := func() string { return value[string](b, "document.querySelector('#form-fields textarea')?.value ?? ''") }
	b.edits()
	edited := strings.Replace(xml(), "hello", "EDITED", 1)
	if id := msgID.FindString(edited); id == "" || id == msgID.FindString(first) || id == msgID.FindString(again) {
		t.Errorf("the editor's MsgId is %q", id)
	}
	b.types("XML of the callback", 0, msgID.ReplaceAllString(edited, msgID.FindString(first)))
	b.sees("#sent-before:not([hidden])", "was sent before")
	b.pictures("edit", phone, desktop)
	b.types("XML of the callback", 0, edited)
	b.waits("document.querySelector('#sent-before').hidden", "the note stays")
	b.click("#form .primary")
	if got := <-came; got != edited {
		t.Errorf("the gateway got\n%s\nnot\n%s", got, edited)
	}
	b.sees("#detail .story", "EDITED")

	// So is each run of what is copied.
	line := b.copied("#copySend")
	for range 2 {
		shell(t, line, "WECHAT_TOKEN="+testproc.Token)
		if copied := <-came; !strings.Contains(copied, "EDITED") || strings.Contains(copied, msgID.FindString(edited)) {
			t.Errorf("%s\nsends\n%s", line, copied)
		}
	}
	b.named()
	b.quiet()
}
