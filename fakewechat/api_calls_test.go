package fakewechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

const (
	stablePath = "/cgi-bin/stable_token"
	plainPath  = "/cgi-bin/token"
	ticketPath = "/cgi-bin/ticket/getticket"
	sendPath   = "/cgi-bin/message/custom/send"
	typingPath = "/cgi-bin/message/custom/typing"
	quotaPath  = "/cgi-bin/openapi/quota/get"
	clearPath  = "/cgi-bin/clear_quota"

	plainQuery  = "?grant_type=client_credential&appid=wx0000000000000001&secret=FakeSecret01"
	stableBody  = `{"grant_type":"client_credential","appid":"wx0000000000000001","secret":"FakeSecret01"}`
	stableForce = `{"grant_type":"client_credential","appid":"wx0000000000000001","secret":"FakeSecret01","force_refresh":true}`
)

// api makes a call of the account's API and decodes its answer, the rid of an errmsg taken out. Without a body it is a
// GET.
func (s *site) api(t *testing.T, path, body string) map[string]any {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	return s.apiMethod(t, method, path, body)
}

var ridAtEnd = regexp.MustCompile(` rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)

func (s *site) apiMethod(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json; encoding=utf-8" {
		t.Errorf("%s: status %d, %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if msg, _ := m["errmsg"].(string); msg != "" && m["errcode"] != 0.0 {
		if !ridAtEnd.MatchString(msg) {
			t.Errorf("%s: no rid in %q", path, msg)
		}
		m["errmsg"] = ridAtEnd.ReplaceAllString(msg, "")
	}
	return m
}

// wantAPI expects an errcode of a call, and WeChat's words for it.
func (s *site) wantAPI(t *testing.T, path, body string, want int) {
	t.Helper()
	msg := "ok"
	if want != 0 {
		msg = errmsgs[want]
	}
	got := s.api(t, path, body)
	if diff := cmp.Diff(map[string]any{"errcode": float64(want), "errmsg": msg}, got); diff != "" || msg == "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// stable returns the access_token of stable_token and its expires_in.
func (s *site) stable(t *testing.T, body string) (token string, expiresIn int) {
	t.Helper()
	return tokenOf(t, s.api(t, stablePath, body))
}

func tokenOf(t *testing.T, m map[string]any) (token string, expiresIn int) {
	t.Helper()
	token, _ = m["access_token"].(string)
	seconds, _ := m["expires_in"].(float64)
	if len(m) != 2 || token == "" {
		t.Fatalf("no access_token: %v", m)
	}
	return token, int(seconds)
}

// with returns a path with the current access_token.
func (s *site) with(t *testing.T, path string) string {
	t.Helper()
	token, _ := s.stable(t, stableBody)
	return path + "?access_token=" + token
}

func TestAccessTokenIsChecked(t *testing.T) {
	s := newSite(t, Config{})
	for _, c := range accountCalls() {
		if c.open {
			continue
		}
		body := ""
		if c.method == http.MethodPost {
			body = "{}"
		}
		s.wantAPI(t, c.path, body, 41001)
		s.wantAPI(t, c.path+"?access_token=x", body, 40001)
		token := s.with(t, c.path)
		s.platform.ExpireToken()
		s.wantAPI(t, token, body, 42001)
		if got := s.api(t, s.with(t, c.path), body); got["errcode"] == 42001.0 || got["errcode"] == 40001.0 {
			t.Errorf("%s with a new token: %v", c.path, got)
		}
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t, Config{})
	for _, c := range accountCalls() {
		wrong, want := http.MethodPost, 43001
		if c.method == http.MethodPost {
			wrong, want = http.MethodGet, 43002
		}
		if got := s.apiMethod(t, wrong, c.path, ""); got["errcode"] != float64(want) {
			t.Errorf("%s %s: %v", wrong, c.path, got)
		}
	}
}

func TestBodies(t *testing.T) {
	s := newSite(t, Config{})
	for _, test := range []struct {
		name, body string
		want       int
	}{
		{"empty", "", 44002},
		{"no JSON", "touser=x", 47001},
		{"cut off", `{"touser":"x"`, 47001},
		{"more behind", `{} {}`, 47001},
		{"a list", `[]`, 47001},
		{"null", `null`, 47001},
		{"GBK", "{\"touser\":\"\xc4\xe3\"}", 47001},
		{"too long", `{"touser":"` + strings.Repeat("a", maxBody) + `"}`, 45002},
		{"names in another case", `{"ToUser":"` + sender.User + `","command":"Typing"}`, 40003},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.apiMethod(t, http.MethodPost, s.with(t, typingPath), test.body)
			if got["errcode"] != float64(test.want) {
				t.Errorf("got %v, want %d", got, test.want)
			}
		})
	}
}

func TestIPLists(t *testing.T) {
	s := newSite(t, Config{})
	for _, path := range []string{"/cgi-bin/getcallbackip", "/cgi-bin/get_api_domain_ip"} {
		got := s.api(t, s.with(t, path), "")
		list, _ := got["ip_list"].([]any)
		if len(got) != 1 || len(list) == 0 || !regexp.MustCompile(`^[0-9.]+$`).MatchString(fmt.Sprint(list[0])) {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestCallsAndFail(t *testing.T) {
	s := newSite(t, Config{})
	p := s.platform
	p.Fail(stablePath, 2, -1)
	s.wantAPI(t, stablePath, stableBody, -1)
	s.wantAPI(t, stablePath, stableBody, -1)
	s.stable(t, stableBody)
	p.Fail(stablePath, 5, 45011)
	s.wantAPI(t, stablePath, stableBody, 45011)
	p.Fail(stablePath, 0, 0)
	s.stable(t, stableBody)
	p.Fail(stablePath, 1, 12345)
	if got := s.api(t, stablePath, stableBody); got["errcode"] != 12345.0 || got["errmsg"] != "error" {
		t.Errorf("an errcode without words: %v", got)
	}
	p.Fail("/sns/auth", 1, 40001)
	s.wantErrcode(t, "/sns/auth", 40001)
	s.wantErrcode(t, "/sns/auth", 41001)
	s.apiMethod(t, http.MethodGet, stablePath, "")

	want := map[string]int{stablePath: 7, "/sns/auth": 2, plainPath: 0}
	got := map[string]int{}
	for path := range want {
		got[path] = p.Calls(path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}

	for name, do := range map[string]func(){
		"Calls": func() { p.Calls("/cgi-bin/tokens") },
		"Fail":  func() { p.Fail("/", 1, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of another path does not panic", name)
				}
			}()
			do()
		}()
		p.Calls(stablePath) // the lock is free again
	}
}

// TestAPILeaksNothing: neither the page nor the log shows a token, a ticket, a secret; the log no text and no openid.
func TestAPILeaksNothing(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	s.platform.Did(sender.User, Wrote)
	token, _ := s.stable(t, stableBody)
	plain, _ := tokenOf(t, s.api(t, plainPath+plainQuery, ""))
	ticket, _ := s.api(t, ticketPath+"?type=jsapi&access_token="+token, "")["ticket"].(string)
	s.wantAPI(t, sendPath+"?access_token="+token, text(sender.User, "answerwords"), 0)
	s.wantAPI(t, sendPath+"?access_token=guessedtoken", text(sender.User, "answerwords"), 40001)

	_, page := s.get(t, logPath)
	for _, shown := range []string{"answerwords", "40001", sendPath} {
		if !strings.Contains(page, shown) {
			t.Errorf("the page does not show %q", shown)
		}
	}
	secrets := []string{token, plain, ticket, "guessedtoken", "FakeSecret01"}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(page, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	if strings.Count(log.String(), "\n") != 5 {
		t.Fatalf("log\n%s", log.String())
	}
	for _, secret := range append(secrets, sender.User, "answerwords") {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// TestConcurrent is for the race detector; of messages sent at once no more than 5 get through.
func TestConcurrent(t *testing.T) {
	s := newSite(t, Config{})
	path := s.with(t, sendPath)
	s.platform.Did(sender.User, Wrote)
	var mu sync.Mutex
	got := map[any]int{}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			m := s.api(t, path, text(sender.User, fmt.Sprint(i)))
			s.platform.Sent(sender.User)
			s.platform.Did("oSomebodyElse", Tapped)
			s.platform.Calls(sendPath)
			s.platform.Fail(quotaPath, 1, -1)
			mu.Lock()
			defer mu.Unlock()
			got[m["errcode"]]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[any]int{0.0: 5, 45047.0: 15}, got); diff != "" || len(s.platform.Sent(sender.User)) != 5 {
		t.Errorf("%d arrived (-want +got):\n%s", len(s.platform.Sent(sender.User)), diff)
	}
}
