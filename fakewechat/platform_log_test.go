package fakewechat

import (
	"bytes"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"wxgate/fakewechat/sender"
)

// send posts the page's form.
func (s *site) send(t *testing.T, kind, arg string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/fake/send",
		strings.NewReader(url.Values{"kind": {kind}, "arg": {arg}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

// TestPageSendsAs: a script sends as a user of its choice.
func TestPageSendsAs(t *testing.T) {
	gw, got := gateway(t, 200, fixed(as("text", "<Content>x</Content>")))
	s := newSite(t, Config{Gateway: gw})
	resp, err := s.Client().PostForm(s.URL+"/fake/send", url.Values{"kind": {"text"}, "arg": {"x"}, "from": {"oAnother"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !bytes.Contains(got.body, []byte("oAnother")) || bytes.Contains(got.body, []byte(sender.User)) {
		t.Errorf("sent %s", got.body)
	}
}

func TestPageShowsReply(t *testing.T) {
	gw, got := gateway(t, 200, fixed(as("text", "<Content><![CDATA[<script>你好]]></Content>")))
	s := newSite(t, Config{Gateway: gw})
	resp, _ := s.send(t, "text", " <b>hi</b> ", nil)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" {
		t.Errorf("status %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if !bytes.Contains(got.body, []byte("<![CDATA[ <b>hi</b> ]]>")) || !bytes.Contains(got.body, []byte(originalID)) {
		t.Errorf("sent %s", got.body)
	}
	resp, page := s.get(t, logPath)
	for _, want := range []string{"<dd>&lt;script&gt;你好</dd>", "&lt;b&gt;hi&lt;/b&gt;", "attempt 1 of 3", "status 200 in",
		at.Format("15:04:05"), "/fake/send"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, sender.ServiceFailed) {
		t.Errorf("a script or an error in\n%s", page)
	}
	want := "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if csp := resp.Header.Get("Content-Security-Policy"); csp != want {
		t.Errorf("CSP %q", csp)
	}
	if resp, css := s.get(t, "/fake/style.css"); resp.StatusCode != http.StatusOK || css != string(styleCSS) {
		t.Errorf("style: %d", resp.StatusCode)
	}
}

func TestPageShowsRefusal(t *testing.T) {
	gw, _ := gateway(t, 500, fixed("oops"))
	s := newSite(t, Config{Gateway: gw})
	s.send(t, "image", "", nil)
	_, page := s.get(t, logPath)
	for _, want := range []string{sender.ServiceFailed, "<li>the status is 500, not 200</li>", `class="refused"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "attempt 2") {
		t.Error("an answer that is refused is not sent again")
	}
}

func TestThreeAttempts(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	gw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		bodies = append(bodies, string(body))
		n := len(bodies)
		mu.Unlock()
		if n < 3 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "success")
	}))
	t.Cleanup(gw.Close)
	s := newSite(t, Config{Gateway: gw.URL})
	s.send(t, "text", "hi", nil)
	if len(bodies) != 3 || bodies[0] != bodies[2] {
		t.Errorf("sent %q", bodies)
	}
	_, page := s.get(t, logPath)
	third, second := strings.Index(page, "attempt 3 of 3"), strings.Index(page, "attempt 2 of 3")
	if third < 0 || second < third || strings.Contains(page, sender.ServiceFailed) {
		t.Errorf("not the newest first, or an error in\n%s", page)
	}

	gw.Close()
	s.send(t, "text", "hi", nil)
	if _, page = s.get(t, logPath); !strings.Contains(page, "no answer in three attempts") || strings.Count(page, sender.ServiceFailed) != 1 {
		t.Errorf("no error in\n%s", page)
	}
}

func TestSendRefusals(t *testing.T) {
	gw, _ := gateway(t, 200, fixed("success"))
	for _, test := range []struct {
		name, gateway, kind, arg string
		header                   http.Header
		status                   int
		want                     string
	}{
		{"cross-site", gw, "text", "hi", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403, "cross-origin"},
		{"other origin", gw, "text", "hi", http.Header{"Origin": {"http://evil.test"}}, 403, "cross-origin"},
		{"same origin", gw, "text", "hi", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 303, ""},
		{"no gateway", "", "text", "hi", nil, 404, "no gateway"},
		{"unknown kind", gw, "sticker", "hi", nil, 400, "kinds: text"},
		{"missing words", gw, "location", "1", nil, 400, "usage: location X Y"},
		{"long form", gw, "text", strings.Repeat("a", maxForm), nil, 400, "longer than 64 KiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, Config{Gateway: test.gateway})
			resp, body := s.send(t, test.kind, test.arg, test.header)
			if resp.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("status %d, %s", resp.StatusCode, body)
			}
		})
	}
	if _, page := newSite(t, Config{}).get(t, logPath); strings.Contains(page, "<form") {
		t.Error("a form without a gateway")
	}
}

// TestNothingLeaks: neither the log nor the page shows a secret, a code or a token; the log no text and no openid.
func TestNothingLeaks(t *testing.T) {
	var log bytes.Buffer
	gw, _ := gateway(t, 200, fixed(as("text", "<Content>answerwords</Content>")))
	acc := testAccount(sender.Compat)
	s := newSite(t, Config{Account: acc, Gateway: gw, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	code := s.code(t, "snsapi_userinfo")
	m := s.call(t, exchange+code)
	s.call(t, exchange+code)
	s.call(t, refresh+m["refresh_token"].(string))
	s.call(t, "/sns/userinfo?access_token="+m["access_token"].(string)+"&openid="+sender.User)
	s.get(t, authorize+"snsapi_base&state=forged-state")
	s.send(t, "text", "questionwords", nil)
	_, page := s.get(t, logPath)
	page = html.UnescapeString(page)
	if strings.Count(log.String(), "\n") != 8 || strings.Count(page, "<tr") != 8 {
		t.Fatalf("log\n%s\npage\n%s", log.String(), page)
	}
	secrets := []string{code, m["access_token"].(string), m["refresh_token"].(string), acc.AppSecret, acc.Token, acc.AESKey, "forged-state"}
	for _, secret := range secrets {
		if strings.Contains(page, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	for _, secret := range append(secrets, sender.User, "questionwords", "answerwords") {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

func TestPageIsBounded(t *testing.T) {
	s := newSite(t, Config{})
	p := s.platform
	long, wide := strings.Repeat("a", 1<<20), strings.Repeat("世", 10000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range maxLogLines / 2 {
				p.addLogLine(logLine{What: sameInBoth("x"), Outcome: sameInBoth(wide), Fields: []sender.Field{{Name: "Content", Value: long}}})
				p.newestLogLines()
			}
		})
	}
	wg.Wait()
	p.addLogLine(logLine{What: sameInBoth("last")})
	got := p.newestLogLines()
	if len(got) != maxLogLines || got[0].What[0] != "last" {
		t.Fatalf("%d lines, the first is %q", len(got), got[0].What)
	}
	if n := len(got[1].Fields[0].Value) + len(got[1].Outcome[1]); n > 5000 {
		t.Errorf("a line of %d bytes", n)
	}
	if !strings.HasSuffix(got[1].Outcome[1], "世…") {
		t.Error("cut inside a character")
	}
}

// TestFindingsLogSpeaksChinese: to a browser that prefers it, or if the address says so; the form comes back to the same.
func TestFindingsLogSpeaksChinese(t *testing.T) {
	gw, _ := gateway(t, 500, fixed("oops"))
	s := newSite(t, Config{Gateway: gw})
	s.send(t, "text", "hi", nil)
	s.get(t, "/connect/oauth2/authorize?appid=x")
	s.get(t, "/cgi-bin/menu/create")
	english, chinese := []string{"The user sees: ", "status 500 in ", "not simulated", "refused: ", "attempt 1 of 3", ">中文</a>"},
		[]string{"用户看到：", "状态码 500，", "状态码是 500，不是 200", "未模拟", "拒绝：", "第 1 次，共 3 次", ">English</a>", `lang="zh-CN"`}
	for _, test := range []struct {
		query, accept string
		want, not     []string
	}{
		{"", "en", english, chinese},
		{"", "zh-CN,zh;q=0.9", chinese, english},
		{"?lang=zh", "en", chinese, english},
		{"?lang=en", "zh", english, chinese},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+logPath+test.query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", test.accept)
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		for _, want := range test.want {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s, %s: the log lacks %q in\n%s", test.query, test.accept, want, body)
			}
		}
		for _, not := range test.not {
			if strings.Contains(string(body), not) {
				t.Errorf("%s, %s: the log has %q", test.query, test.accept, not)
			}
		}
	}
	for back, want := range map[string]string{logPath + "?lang=zh": logPath + "?lang=zh", logPath: logPath, "": "/", "//evil.example/": "/", logPath + "?lang=//evil": "/"} {
		resp, err := s.Client().PostForm(s.URL+"/fake/send", url.Values{"kind": {"text"}, "arg": {"x"}, "back": {back}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("back %q leads to %q; want %q", back, got, want)
		}
	}
}
