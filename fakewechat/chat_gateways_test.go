package fakewechat

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
)

// TestChatGateways: whatever a gateway does, the page gets a line that ends, why, and no more of an answer than it shows.
func TestChatGateways(t *testing.T) {
	answers := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	hostile := `<xml><ToUserName>` + sender.User + `</ToUserName><FromUserName><![CDATA[<script>alert(1)</script>]]></FromUserName><CreateTime>1</CreateTime>` +
		`<MsgType><![CDATA[<img src=x onerror=alert(1)>]]></MsgType></xml>`
	for _, test := range []struct {
		name     string
		gateway  http.HandlerFunc // nil: nobody listens
		attempts int
		refused  string
		of       string // the attempt's error; "": there is an answer
	}{
		{"down", nil, 3, "no answer in three attempts", "connection refused"},
		{"HTML", answers(200, "text/html", "<html><body>Welcome to nginx!</body></html>"), 1, "the answer is an HTML page", ""},
		{"HTML of an error", answers(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>"), 1, "the status is 502, not 200", ""},
		{"JSON", answers(200, "application/json", `{"errcode":0}`), 1, "the answer is JSON; official accounts take XML only", ""},
		{"10 MB", answers(200, "text/xml", strings.Repeat("<xml>aaaaa", 1<<20)), 1, "the answer is longer than 1 MiB", ""},
		{"an endless answer", func(w http.ResponseWriter, _ *http.Request) {
			for line := []byte(strings.Repeat("a", 1<<16)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, 1, "the answer is longer than 1 MiB", ""},
		{"a redirect", http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound).ServeHTTP, 1, "the status is 302, not 200", ""},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3, "no answer in three attempts", "EOF"},
		{"hangs up halfway", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "<xml>")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 3, "no answer in three attempts", "unexpected EOF"},
		{"after 20 s", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that WeChat hangs up
			select {
			case <-time.After(20 * time.Second):
			case <-r.Context().Done():
			}
		}, 3, "no answer in three attempts", "no answer within"},
		{"hostile", answers(200, "text/xml", hostile), 1, "FromUserName is not the account's original id, the callback's ToUserName", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gw := httptest.NewServer(test.gateway)
			t.Cleanup(gw.Close)
			if test.gateway == nil {
				gw.Close()
			}
			var faults Faults
			if test.of == "no answer within" { // sooner than after 5 s; the other gateways answer at once, but a busy machine may need longer
				faults = Faults{RetryEarly: 1, RetryAfter: 100 * time.Millisecond}
			}
			s := newSite(t, Config{Gateway: gw.URL, Faults: faults})
			t.Cleanup(s.platform.Close)
			p := s.open(t)
			if status, said := s.post(t, "/fake/lines", saying("hi"), nil); status != http.StatusAccepted {
				t.Fatalf("status %d: %v", status, said)
			}
			l := p.done()
			if len(l.Attempts) != test.attempts || len(l.Refused) == 0 || l.Refused[0] != test.refused {
				t.Errorf("got %d attempts, %q; want %d, %q", len(l.Attempts), l.Refused, test.attempts, test.refused)
			}
			for _, a := range l.Attempts {
				if a.Running || (a.Error == "") != (test.of == "") || !strings.Contains(a.Error, test.of) {
					t.Errorf("attempt %+v; want the error %q", a, test.of)
				}
			}
			_, body := s.get(t, fmt.Sprintf("/fake/lines/%d", l.ID))
			var whole chatLine
			if err := json.Unmarshal([]byte(body), &whole); err != nil || len(whole.Attempts) != test.attempts || len(body) > 10*maxShown {
				t.Errorf("%d bytes: %v", len(body), err)
			}
			// The next message goes its way as if nothing had been.
			if status, said := s.post(t, "/fake/lines", message{User: "oAnother", Kind: "text", Args: []string{"hi"}}, nil); status != http.StatusAccepted {
				t.Errorf("the next message: status %d: %v", status, said)
			}
		})
	}
}
