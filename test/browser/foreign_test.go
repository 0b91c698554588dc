package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wxgate/fakewechat"
)

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
