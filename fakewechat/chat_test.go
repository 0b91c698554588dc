package fakewechat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// page is an open chat page: its stream of events.
type page struct {
	t      *testing.T
	events *bufio.Scanner
}

// open opens the stream; its first event is hello.
func (s *site) open(t *testing.T) *page {
	t.Helper()
	resp, err := s.Client().Get(s.URL + "/fake/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	events := bufio.NewScanner(resp.Body)
	events.Buffer(nil, 1<<24)
	return &page{t, events}
}

// next waits for the next event of that name.
func (p *page) next(name string, to any) {
	p.t.Helper()
	for p.events.Scan() {
		if p.events.Text() != "event: "+name {
			continue
		}
		p.events.Scan()
		data, _ := strings.CutPrefix(p.events.Text(), "data: ")
		if err := json.Unmarshal([]byte(data), to); err != nil {
			p.t.Fatalf("%s: %v", data, err)
		}
		return
	}
	p.t.Fatalf("no event %q: %v", name, p.events.Err())
}

// done waits for a line that gets no more attempts.
func (p *page) done() chatLine {
	p.t.Helper()
	for {
		var l chatLine
		if p.next("line", &l); l.Done {
			return l
		}
	}
}

// post calls the page's API.
func (s *site) post(t *testing.T, path string, body any, header http.Header) (int, map[string]any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	maps.Copy(r.Header, header)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, _ := io.ReadAll(resp.Body)
	var m map[string]any
	if json.Unmarshal(said, &m) != nil {
		m = map[string]any{"error": string(said)}
	}
	return resp.StatusCode, m
}

type message struct {
	User string   `json:"user,omitempty"`
	Kind string   `json:"kind,omitempty"`
	Args []string `json:"args,omitempty"`
	XML  string   `json:"xml,omitempty"`
}

func saying(words string) message {
	return message{User: sender.User, Kind: "text", Args: []string{words}}
}

// TestChat: what a page sends comes back as events on every page, and whole when it is asked for.
func TestChat(t *testing.T) {
	gw, got := gateway(t, 200, fixed(as("text", "<Content><![CDATA[<script>alert(1)</script>]]></Content>")))
	s := newSite(t, Config{Account: testAccount(sender.Compat), Gateway: gw})
	t.Cleanup(s.platform.Close)
	first, second := s.open(t), s.open(t)
	var hello struct {
		Accounts []chatAccount
		Failed   string
		chatState
	}
	first.next("hello", &hello)
	acc := testAccount(sender.Compat)
	if !cmp.Equal(hello.Accounts, []chatAccount{{acc.AppID, acc.OriginalID, sender.Compat, gw, "", false}}) || hello.Failed != sender.ServiceFailed ||
		len(hello.Users) != 1 || hello.Users[0].chatUserKey != (chatUserKey{acc.AppID, sender.User}) || len(hello.Lines) != 0 {
		t.Errorf("hello %+v", hello)
	}

	status, said := s.post(t, "/fake/lines", saying("<img src=x onerror=alert(1)>"), nil)
	if status != http.StatusAccepted {
		t.Fatalf("status %d: %v", status, said)
	}
	line := first.done()
	if diff := cmp.Diff(line, second.done(), cmp.AllowUnexported(chatLine{})); diff != "" {
		t.Errorf("the pages differ (-first +second):\n%s", diff)
	}
	if float64(line.ID) != said["id"] || line.userKey() != (chatUserKey{acc.AppID, sender.User}) || line.From != fromUser || len(line.Attempts) != 1 {
		t.Fatalf("line %+v, id %v", line, said)
	}
	if a := line.Attempts[0]; a.Running || a.Status != 200 || a.Exchange != nil || len(a.Refused) != 0 ||
		a.Fields[1] != (sender.Field{Name: "Content", Value: "<script>alert(1)</script>"}) {
		t.Errorf("attempt %+v", a)
	}

	resp, body := s.get(t, fmt.Sprintf("/fake/lines/%d", line.ID))
	var whole chatLine
	if err := json.Unmarshal([]byte(body), &whole); err != nil || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v in %s", err, body)
	}
	x := whole.Attempts[0].Exchange
	u, err := url.Parse(x.URL)
	if err != nil || u.Query().Get("signature") != got.query().Get("signature") || x.Request != string(got.body) {
		t.Errorf("exchange %+v, the gateway got %s", x, got.body)
	}
	if !strings.Contains(x.Request, "<Encrypt>") || strings.Contains(whole.XML, "<Encrypt>") || x.Opened != x.Answer {
		t.Errorf("exchange %+v of %s", x, whole.XML)
	}

	if status, said := s.post(t, "/fake/lines", message{XML: strings.ReplaceAll(whole.XML, sender.User, "oAnother")}, nil); status != http.StatusAccepted {
		t.Fatalf("again: %d: %v", status, said)
	}
	var user chatUser
	if first.next("user", &user); user.OpenID != "oAnother" {
		t.Errorf("user %+v", user)
	}
	if line := first.done(); line.User != "oAnother" || line.Attempts[0].Refused == nil { // the answer is for User
		t.Errorf("line %+v", line)
	}
}

// TestChatCalls: pushed messages, the typing state and API calls reach the page.
func TestChatCalls(t *testing.T) {
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	s.platform.Did(sender.User, Wrote)
	p := s.open(t)
	access, _ := s.stable(t, stableBody)
	var call chatCall
	if p.next("call", &call); call.Path != stablePath || call.Outcome != "ok" || strings.Contains(fmt.Sprint(call), access) {
		t.Errorf("call %+v", call)
	}
	var typing chatTyping
	s.api(t, typingPath+"?access_token="+access, `{"touser":"`+sender.User+`","command":"Typing"}`)
	if p.next("typing", &typing); typing.chatUserKey != (chatUserKey{testAccount(sender.Plain).AppID, sender.User}) || typing.Millis != typingLasts.Milliseconds() {
		t.Errorf("typing %+v", typing)
	}
	s.api(t, sendPath+"?access_token="+access, text(sender.User, "<b>late</b>"))
	if l := p.done(); l.From != fromAccount || l.User != sender.User || !cmp.Equal(l.Fields, []sender.Field{{Name: "msgtype", Value: "text"}, {Name: "content", Value: "<b>late</b>"}}) {
		t.Errorf("line %+v", l)
	}
	if p.next("call", &call); call.Path != sendPath || call.User != sender.User {
		t.Errorf("call %+v", call)
	}
}

// TestChatElsewhere: what another process sends is shown once, whatever the number of attempts.
func TestChatElsewhere(t *testing.T) {
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	for _, words := range []string{"one", "one", "two"} {
		xml, err := sender.Compose(originalID, sender.User, at, "text", words)
		if err != nil {
			t.Fatal(err)
		}
		if words == "one" { // the same bytes again
			xml = []byte(strings.Replace(string(xml), string(xml[strings.Index(string(xml), "<MsgId>"):]), "<MsgId>1</MsgId></xml>", 1))
		}
		resp, err := s.Client().Post(s.URL+sender.AnnouncePath, "text/xml", bytes.NewReader(xml))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	var hello chatState
	if s.open(t).next("hello", &hello); len(hello.Lines) != 2 || hello.Lines[0].From != fromElsewhere || !hello.Lines[0].Done {
		t.Errorf("lines %+v", hello.Lines)
	}
}

func TestChatRefusals(t *testing.T) {
	gw, _ := gateway(t, 200, fixed("success"))
	with := newSite(t, Config{Gateway: gw})
	without := newSite(t, Config{})
	t.Cleanup(with.platform.Close)
	cross := http.Header{"Sec-Fetch-Site": {"cross-site"}}
	for _, test := range []struct {
		name   string
		site   *site
		path   string
		body   any
		header http.Header
		status int
		want   string
	}{
		{"cross-site", with, "/fake/lines", saying("hi"), cross, 403, "cross-origin"},
		{"other origin", with, "/fake/lines", saying("hi"), http.Header{"Origin": {"http://evil.test"}}, 403, "cross-origin"},
		{"cross-site user", with, "/fake/users", struct{}{}, cross, 403, "cross-origin"},
		{"a form", with, "/fake/lines", saying("hi"), http.Header{"Content-Type": {"text/plain"}}, 400, "application/json"},
		{"no gateway", without, "/fake/lines", saying("hi"), nil, 404, "no gateway"},
		{"unknown kind", with, "/fake/lines", message{User: sender.User, Kind: "sticker"}, nil, 400, "kinds: text"},
		{"nobody", with, "/fake/lines", message{Kind: "text", Args: []string{"hi"}}, nil, 400, "FromUserName"},
		{"a long openid", with, "/fake/lines", message{User: strings.Repeat("o", maxOpenID+1), Kind: "text", Args: []string{"hi"}}, nil, 400, "FromUserName"},
		{"broken XML", with, "/fake/lines", message{XML: "<xml><ToUserName>"}, nil, 400, "not XML"},
		{"too long", with, "/fake/lines", saying(strings.Repeat("a", maxForm)), nil, 400, "longer than 64 KiB"},
		{"an unknown name", with, "/fake/lines", map[string]string{"url": "x"}, nil, 400, "cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, said := test.site.post(t, test.path, test.body, test.header)
			if problem := fmt.Sprint(said["error"]); status != test.status || !strings.Contains(problem, test.want) {
				t.Errorf("status %d, %s", status, problem)
			}
		})
	}
	for _, path := range []string{"/fake/events", "/fake/lines/1"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, with.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = cross
		resp, err := with.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s for another site: %d", path, resp.StatusCode)
		}
	}
	if resp, _ := with.get(t, "/fake/lines/77"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown line: %d", resp.StatusCode)
	}
}

// TestChatFiles: the page is all there, may run its own scripts only, and has none inline.
func TestChatFiles(t *testing.T) {
	s := newSite(t, Config{})
	entries, err := chatFiles.ReadDir("page/chat")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	paths := []string{"/"}
	for _, e := range entries {
		if e.Name() != "index.html" { // is "/"
			paths = append(paths, "/fake/chat/"+e.Name())
		}
	}
	for _, file := range paths {
		resp, body := s.get(t, file)
		want := types[path.Ext(file)]
		if file == "/" {
			want = types[".html"]
		}
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || want == "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: status %d, %s", file, resp.StatusCode, got)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); csp != chatPolicy {
			t.Errorf("%s: CSP %q", file, csp)
		}
		for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "//cdn"} {
			if strings.Contains(body, never) {
				t.Errorf("%s has %q", file, never)
			}
		}
	}
}

// TestChatWords: all words are there in both languages.
func TestChatWords(t *testing.T) {
	source, err := chatFiles.ReadFile("page/chat/words.js")
	if err != nil {
		t.Fatal(err)
	}
	texts := regexp.MustCompile("'[^']*'|`[^`]*`|//.*")
	names := regexp.MustCompile(`(\w+):`)
	of := func(language string) []string {
		_, rest, _ := strings.Cut(string(source), "const "+language+" = {")
		block, _, _ := strings.Cut(rest, "\n};")
		var all []string
		for _, m := range names.FindAllStringSubmatch(texts.ReplaceAllString(block, ""), -1) {
			all = append(all, m[1])
		}
		return all
	}
	en := of("en")
	if diff := cmp.Diff(en, of("zh")); diff != "" || len(en) < 100 {
		t.Errorf("%d words (-en +zh):\n%s", len(en), diff)
	}
	used := regexp.MustCompile(`\bt\('(\w+)'\)|data-t[\w-]*="(\w+)"`)
	entries, err := chatFiles.ReadDir("page/chat")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		file, err := chatFiles.ReadFile("page/chat/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllStringSubmatch(string(file), -1) {
			if name := m[1] + m[2]; !slices.Contains(en, name) {
				t.Errorf("%s has no word %q", e.Name(), name)
			}
		}
	}
}

// TestChatIsBounded: lines, users, calls, pages, bodies and what is in flight.
func TestChatIsBounded(t *testing.T) {
	c := newChat("wx")
	long := strings.Repeat("世", 1<<16)
	for i := range maxLines + 50 {
		fields := make([]sender.Field, maxElements+1)
		fields[0] = sender.Field{Name: long, Value: long}
		c.addLine(chatLine{User: fmt.Sprintf("o%d", i%7), Fields: fields, XML: long})
		c.addCall(chatCall{Path: "x", Outcome: long, User: long})
	}
	if len(c.lines) != maxLines || len(c.calls) != maxCallLines || len(c.users) != 8 {
		t.Errorf("%d lines, %d calls, %d users", len(c.lines), len(c.calls), len(c.users))
	}
	if l := c.lines[0]; len(l.XML) > maxForm+10 || len(l.Fields) != maxElements || len(l.Fields[0].Value)+len(l.Fields[0].Name) > 5000 {
		t.Errorf("a line of %d, %d, %d", len(l.XML), len(l.Fields), len(l.Fields[0].Value))
	}
	for i := range 2 * maxTalkers {
		c.meetUser(chatUserKey{"wx", fmt.Sprintf("p%d", i)})
	}
	if len(c.users) != maxTalkers || len(c.lines) != 0 { // the silent ones are forgotten with their lines
		t.Errorf("%d users, %d lines", len(c.users), len(c.lines))
	}

	for range maxInFlight {
		if !c.startSending() {
			t.Fatal("not let in")
		}
	}
	if c.startSending() {
		t.Error("too many in flight")
	}
	var slow chan chatEvent
	for range maxWatchers {
		if _, slow = c.addWatcher(time.Now()); slow == nil {
			t.Fatal("a page is not let in")
		}
	}
	if _, more := c.addWatcher(time.Now()); more != nil {
		t.Error("too many pages")
	}
	for range watcherLag + 1 {
		c.meetUser(chatUserKey{"wx", "p0"})
		c.setTyping(chatUserKey{"wx", "p0"}, time.Now(), time.Now())
	}
	n := 0
	for range slow { // closed, or this hangs
		n++
	}
	if n != watcherLag || len(c.watchers) != 0 {
		t.Errorf("%d events kept, %d pages left", n, len(c.watchers))
	}
}

// TestChatClose: a platform that closes ends its pages, and what they sent.
func TestChatClose(t *testing.T) {
	asked := make(chan struct{})
	gw, _ := gateway(t, 200, func(*caught) string {
		select {
		case asked <- struct{}{}:
		case <-t.Context().Done():
		}
		time.Sleep(100 * time.Millisecond)
		return "success"
	})
	s := newSite(t, Config{Gateway: gw})
	p := s.open(t)
	s.post(t, "/fake/lines", saying("hi"), nil)
	<-asked
	s.platform.Close()
	for p.events.Scan() { // ends, or this hangs
	}
	if status, _ := s.post(t, "/fake/lines", saying("hi"), nil); status != http.StatusTooManyRequests {
		t.Errorf("a message after the end: status %d", status)
	}
	if resp, _ := s.get(t, "/fake/events"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a page after the end: status %d", resp.StatusCode)
	}
}

// TestChatReset: a platform that is reset has forgotten the chats, and its pages hear of it.
func TestChatReset(t *testing.T) {
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	s.platform.chat.addLine(chatLine{User: "oSomebody"})
	p := s.open(t)
	s.platform.Reset()
	var nothing any
	p.next("reset", &nothing)
	var hello chatState
	if s.open(t).next("hello", &hello); len(hello.Lines) != 0 || len(hello.Users) != 1 || hello.Users[0].OpenID != sender.User {
		t.Errorf("hello %+v", hello)
	}
}

// TestChatReasons: the page gets the judge's words in both languages.
func TestChatReasons(t *testing.T) {
	gw, _ := gateway(t, 502, fixed(""))
	s := newSite(t, Config{Gateway: gw})
	t.Cleanup(s.platform.Close)
	p := s.open(t)
	s.post(t, "/fake/lines", saying("hi"), nil)
	l := p.done()
	if diff := cmp.Diff([]string{"the status is 502, not 200"}, l.Refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{"状态码是 502，不是 200"}
	if diff := cmp.Diff([][]string{want, want}, [][]string{l.RefusedZH, l.Attempts[0].RefusedZH}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
