package fakewechat

import (
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that tests move.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// site is a running Platform.
type site struct {
	*httptest.Server
	clock    *clock
	platform *Platform
}

func newSite(t *testing.T, cfg Config) *site {
	t.Helper()
	c := &clock{}
	c.nanos.Store(at.UnixNano())
	if cfg.Account == (sender.Account{}) {
		cfg.Account = testAccount(sender.Plain)
	}
	cfg.Now = c.now
	p := New(cfg)
	s := &site{httptest.NewServer(p), c, p}
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(s.Close)
	return s
}

func (s *site) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	return s.do(t, http.MethodGet, path)
}

func (s *site) do(t *testing.T, method, path string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.answer(t, r)
}

func (s *site) answer(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// call makes an API call and decodes the answer.
func (s *site) call(t *testing.T, path string) map[string]any {
	t.Helper()
	resp, body := s.get(t, path)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%s: status %d, %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return m
}

func (s *site) wantErrcode(t *testing.T, path string, want int) {
	t.Helper()
	m := s.call(t, path)
	msg, _ := m["errmsg"].(string)
	if m["errcode"] != float64(want) || !regexp.MustCompile(`^[a-z_, A-Z]+, rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`).MatchString(msg) || len(m) != 2 {
		t.Errorf("%s: got %v, want errcode %d", path, m, want)
	}
}

const (
	back      = "https%3A%2F%2Fexample.com%2Foauth%2Fcallback%3Fa%3D1"
	authorize = "/connect/oauth2/authorize?appid=wx0000000000000001&redirect_uri=" + back + "&response_type=code&scope="
	exchange  = "/sns/oauth2/access_token?appid=wx0000000000000001&secret=FakeSecret01&grant_type=authorization_code&code="
	refresh   = "/sns/oauth2/refresh_token?appid=wx0000000000000001&grant_type=refresh_token&refresh_token="
)

var link = regexp.MustCompile(`<a id="(allow|refuse)" href="([^"]*)">`)

// login goes through the authorize page and returns where it leads: at once, or by the link "allow".
func (s *site) login(t *testing.T, path string) *url.URL {
	t.Helper()
	resp, body := s.get(t, path)
	to := resp.Header.Get("Location")
	if resp.StatusCode == http.StatusOK {
		m := link.FindStringSubmatch(body)
		if m == nil || m[1] != "allow" {
			t.Fatalf("no link to allow in\n%s", body)
		}
		resp, _ = s.get(t, strings.TrimPrefix(html.UnescapeString(m[2]), s.URL))
		to = resp.Header.Get("Location")
	}
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("status %d, leads to %q: %v", resp.StatusCode, to, err)
	}
	return u
}

func (s *site) code(t *testing.T, scope string) string {
	t.Helper()
	return s.login(t, authorize+scope+"&state=s1").Query().Get("code")
}

func TestAuthorizeBase(t *testing.T) {
	s := newSite(t, Config{})
	for _, test := range []struct{ name, redirect, want string }{
		{"with a query", back, "https://example.com/oauth/callback?a=1&code=CODE&state=s1"},
		{"without", "http%3A%2F%2F127.0.0.1%3A8000%2Fcb", "http://127.0.0.1:8000/cb?code=CODE&state=s1"},
		{"with a fragment", "https%3A%2F%2Fexample.com%2F%23top", "https://example.com/?code=CODE&state=s1#top"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, _ := s.get(t, strings.Replace(authorize, back, test.redirect, 1)+"snsapi_base&state=s1")
			got := regexp.MustCompile(`code=[0-9A-Z]{20,}`).ReplaceAllString(resp.Header.Get("Location"), "code=CODE")
			if resp.StatusCode != http.StatusFound || got != test.want {
				t.Errorf("status %d, Location %q, want %q", resp.StatusCode, got, test.want)
			}
		})
	}
}

func TestAuthorizeConsent(t *testing.T) {
	s := newSite(t, Config{})
	for _, path := range []string{
		authorize + "snsapi_userinfo&state=s1",
		authorize + "snsapi_userinfo&state=s1&forcePopup=true",
		strings.Replace(authorize, "oauth2/authorize", "qrconnect", 1) + "snsapi_login&state=s1",
	} {
		resp, body := s.get(t, path)
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
		for _, word := range []string{"wx0000000000000001", "https://example.com/oauth/callback?a=1", "snsapi_"} {
			if !strings.Contains(body, word) {
				t.Errorf("the page does not say %q", word)
			}
		}
		m := link.FindAllStringSubmatch(body, -1)
		if len(m) != 2 {
			t.Fatalf("links: %q", m)
		}
		resp, _ = s.get(t, strings.TrimPrefix(html.UnescapeString(m[0][2]), s.URL))
		allowed := regexp.MustCompile(`code=[0-9A-Z]{20,}`).ReplaceAllString(resp.Header.Get("Location"), "code=CODE")
		want := []string{"https://example.com/oauth/callback?a=1&code=CODE&state=s1", "https://example.com/oauth/callback?a=1&state=s1"}
		if diff := cmp.Diff(want, []string{allowed, html.UnescapeString(m[1][2])}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestFindingsCodeIsMadeOnAllow: who thinks for longer than a code lives can still log in, and a page that is only shown
// makes no code.
func TestFindingsCodeIsMadeOnAllow(t *testing.T) {
	s := newSite(t, Config{})
	codes := func() int { return len(s.platform.accountByAppID("").oauth.codes.values) }
	_, page := s.get(t, authorize+"snsapi_userinfo&state=s1")
	allow := link.FindStringSubmatch(page)
	if codes() != 0 || allow == nil {
		t.Fatalf("%d codes before anybody allowed one, link %q", codes(), allow)
	}
	s.clock.advance(2 * codeLife)
	resp, _ := s.get(t, strings.TrimPrefix(html.UnescapeString(allow[2]), s.URL))
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || codes() != 1 {
		t.Fatalf("%d codes, %v", codes(), err)
	}
	s.clock.advance(codeLife - 1)
	if got := s.call(t, exchange+to.Query().Get("code")); got["openid"] != sender.User {
		t.Errorf("the exchange answers %v", got)
	}
}

// TestFindingsWebDomain: with a web authorization domain, WeChat refuses other hosts, sub-domains too.
func TestFindingsWebDomain(t *testing.T) {
	acc := testAccount(sender.Plain)
	acc.WebDomain = "Example.com"
	s := newSite(t, Config{Account: acc})
	for _, test := range []struct {
		redirect string
		refused  bool
	}{
		{"https://example.com/cb", false}, {"http://EXAMPLE.com:8000/cb", false}, {"https://www.example.com/cb", true},
		{"https://example.com.evil.test/cb", true}, {"https://evil.test/?example.com", true}, {"https://example.com@evil.test/", true},
		{"http://127.0.0.1:8000/cb", true},
	} {
		resp, body := s.get(t, strings.Replace(authorize, back, url.QueryEscape(test.redirect), 1)+"snsapi_base&state=s1")
		if refused := resp.StatusCode == http.StatusBadRequest; refused != test.refused {
			t.Errorf("%s: status %d", test.redirect, resp.StatusCode)
		}
		if test.refused && (!strings.Contains(body, `<b id="errcode">10003</b>`) || !strings.Contains(body, "web authorization domain: Example.com")) {
			t.Errorf("%s: the page does not say what is expected:\n%s", test.redirect, body)
		}
	}
	form := func(domain string) map[string]string {
		return map[string]string{"app_id": acc.AppID, "original_id": acc.OriginalID, "mode": "plain", "web_domain": domain}
	}
	if _, said := s.post(t, "/fake/accounts", form("https://example.com"), nil); !strings.Contains(said["error"].(string), "web_domain: this must be a host alone, such as www.example.com") {
		t.Errorf("a URL in place of a domain: %v", said)
	}
	if status, said := s.v1(t, "PUT", "accounts", `{"app_id": "`+acc.AppID+`", "original_id": "`+acc.OriginalID+`", "mode": "plain"}`); status != http.StatusOK ||
		s.platform.Account().WebDomain != acc.WebDomain {
		t.Errorf("a domain that is left out does not stay: %v", said)
	}
	s.post(t, "/fake/accounts", form(""), nil)
	if got := s.platform.Account().WebDomain; got != "" {
		t.Errorf("the domain that was emptied is %q", got)
	}
}

func TestAuthorizeRefused(t *testing.T) {
	s := newSite(t, Config{})
	const page = "/connect/oauth2/authorize?"
	const good = "appid=wx0000000000000001&redirect_uri=" + back + "&response_type=code&scope=snsapi_base&state=s1"
	for _, test := range []struct{ name, path, want string }{
		{"alphabetical with forcePopup", page + strings.Replace(good, "&redirect", "&forcePopup=true&redirect", 1), "Parameter error"},
		{"scope before response_type", page + "appid=wx0000000000000001&redirect_uri=" + back + "&scope=snsapi_base&response_type=code&state=s1", "Parameter error"},
		{"another parameter", page + good + "&x=1", "Parameter error"},
		{"forcePopup twice", page + good + "&forcePopup=true&forcePopup=true", "Parameter error"},
		{"state twice", page + good + "&state=s1", "Parameter error"},
		{"token", page + strings.Replace(good, "=code", "=token", 1), "Parameter error"},
		{"broken escape", page + strings.Replace(good, "%3A", "%3", 1), "Parameter error"},
		{"nothing", page, `<b id="errcode">10012</b>`},
		{"no redirect_uri", page + strings.Replace(good, back, "", 1), `<b id="errcode">10011</b>`},
		{"no scope", page + strings.Replace(good, "snsapi_base", "", 1), `<b id="errcode">10010</b>`},
		{"redirect_uri is a script", page + strings.Replace(good, back, "javascript%3Aalert(1)", 1), `<b id="errcode">10003</b>`},
		{"redirect_uri without a host", page + strings.Replace(good, back, "%2Fcb", 1), `<b id="errcode">10003</b>`},
		{"another scope", page + strings.Replace(good, "snsapi_base", "snsapi_login", 1), `<b id="errcode">10005</b>`},
		{"scope of the other page", "/connect/qrconnect?" + good, `<b id="errcode">10005</b>`},
		{"empty state", page + strings.Replace(good, "s1", "", 1), `<b id="errcode">10013</b>`},
		{"state with a dash", page + good + "-", `<b id="errcode">10013</b>`},
		{"state too long", page + strings.Replace(good, "s1", strings.Repeat("a", 129), 1), `<b id="errcode">10013</b>`},
		{"another account", page + strings.Replace(good, "0001", "0002", 1), `<b id="errcode">40013</b>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := s.get(t, test.path)
			if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" || !strings.Contains(body, test.want) {
				t.Errorf("status %d, want %q in\n%s", resp.StatusCode, test.want, body)
			}
		})
	}
	for _, fine := range []string{strings.Replace(good, "s1", strings.Repeat("a", 128), 1), strings.TrimSuffix(good, "&state=s1"), good + "&connect_redirect=1"} {
		if resp, _ := s.get(t, page+fine); resp.StatusCode != http.StatusFound {
			t.Errorf("%s: status %d", fine, resp.StatusCode)
		}
	}
}

// TestAnswers compares whole answers with recorded ones: the same names and types, in strings the same form.
func TestAnswers(t *testing.T) {
	s := newSite(t, Config{})
	base := s.call(t, exchange+s.code(t, "snsapi_base"))
	user := s.call(t, exchange+s.code(t, "snsapi_userinfo"))
	snap := s.call(t, exchange+s.login(t, authorize+"snsapi_userinfo&state=s1&forceSnapShot=true").Query().Get("code"))
	of := func(m map[string]any) string {
		return "?access_token=" + m["access_token"].(string) + "&openid=" + m["openid"].(string)
	}
	for _, test := range []struct {
		sample string
		got    map[string]any
		same   []string // names whose values are the sample's
	}{
		{"sns.access_token.base.json", base, []string{"expires_in", "scope"}},
		{"sns.access_token.userinfo.json", user, []string{"expires_in", "scope"}},
		{"sns.access_token.snapshot.json", snap, []string{"expires_in", "scope", "is_snapshotuser"}},
		{"sns.refresh_token.json", s.call(t, refresh+user["refresh_token"].(string)), []string{"expires_in", "scope"}},
		{"sns.auth.ok.json", s.call(t, "/sns/auth"+of(base)), []string{"errcode", "errmsg"}},
		{"sns.userinfo.json", s.call(t, "/sns/userinfo"+of(user)), []string{"sex", "city", "province", "country", "privilege"}},
	} {
		t.Run(test.sample, func(t *testing.T) {
			var want map[string]any
			if err := json.Unmarshal(sample(t, "json/"+test.sample), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(test.got))); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			for _, name := range test.same {
				if diff := cmp.Diff(want[name], test.got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
	if base["openid"] != sender.User || user["openid"] != sender.User || snap["openid"] == sender.User {
		t.Errorf("openids %v, %v, %v", base["openid"], user["openid"], snap["openid"])
	}
	s.wantErrcode(t, "/sns/userinfo"+of(snap), 48001)
	for lang, want := range map[string]string{"": "zh_CN", "en": "en", "zh_TW": "zh_TW", "xx": "zh_CN"} {
		_, body := s.get(t, "/sns/userinfo"+of(user)+"&lang="+lang)
		if !strings.Contains(body, `"language":"`+want+`"`) || !strings.Contains(body, `"nickname":"示例&用户😀"`) || !strings.Contains(body, `"privilege":[]`) {
			t.Errorf("lang %q: %s", lang, body)
		}
	}
}

func TestErrcodes(t *testing.T) {
	s := newSite(t, Config{})
	base := s.call(t, exchange+s.code(t, "snsapi_base"))
	token, openid := base["access_token"].(string), "&openid="+sender.User
	for _, test := range []struct {
		name, path string
		want       int
	}{
		{"no appid", "/sns/oauth2/access_token?secret=FakeSecret01&code=c&grant_type=authorization_code", 41002},
		{"no secret", "/sns/oauth2/access_token?appid=wx0000000000000001&code=c&grant_type=authorization_code", 41004},
		{"no code", exchange, 41008},
		{"grant_type", strings.Replace(exchange, "authorization_code", "client_credential", 1) + "c", 40002},
		{"appid", strings.Replace(exchange, "0001", "0002", 1) + "c", 40013},
		{"secret", strings.Replace(exchange, "Secret01", "Secret02", 1) + "c", 40125},
		{"code", exchange + "c", 40029},
		{"refresh: no appid", "/sns/oauth2/refresh_token?grant_type=refresh_token&refresh_token=r", 41002},
		{"refresh: no token", refresh, 41003},
		{"refresh: grant_type", strings.Replace(refresh, "=refresh_token", "=x", 1) + "r", 40002},
		{"refresh: appid", strings.Replace(refresh, "0001", "0002", 1) + "r", 40013},
		{"refresh: unknown", refresh + "r", 40030},
		{"refresh: an access token", refresh + token, 40030},
		{"userinfo: no token", "/sns/userinfo?openid=" + sender.User, 41001},
		{"userinfo: no openid", "/sns/userinfo?access_token=" + token, 41009},
		{"userinfo: unknown token", "/sns/userinfo?access_token=t" + openid, 40001},
		{"userinfo: openid", "/sns/userinfo?access_token=" + token + openid + "x", 40003},
		{"userinfo: scope", "/sns/userinfo?access_token=" + token + openid, 48001},
		{"auth: no token", "/sns/auth?openid=" + sender.User, 41001},
		{"auth: no openid", "/sns/auth?access_token=" + token, 41009},
		{"auth: openid", "/sns/auth?access_token=" + token + openid + "x", 40003},
		{"auth: unknown token", "/sns/auth?access_token=t" + openid, 40001},
	} {
		t.Run(test.name, func(t *testing.T) { s.wantErrcode(t, test.path, test.want) })
	}
}

func TestExpiry(t *testing.T) {
	s := newSite(t, Config{})
	late, used := s.code(t, "snsapi_userinfo"), s.code(t, "snsapi_userinfo")
	s.wantErrcode(t, strings.Replace(exchange, "Secret01", "", 1)+used, 40125) // does not use the code up
	s.clock.advance(5*time.Minute - time.Second)
	m := s.call(t, exchange+used)
	s.wantErrcode(t, exchange+used, 40163)
	s.clock.advance(time.Second)
	s.wantErrcode(t, exchange+late, 42003)
	s.wantErrcode(t, exchange+used, 40163)

	token := m["access_token"].(string)
	query := "?access_token=" + token + "&openid=" + sender.User
	again := s.call(t, refresh+m["refresh_token"].(string))
	if again["access_token"] != token || again["expires_in"] != 7200.0 {
		t.Errorf("a refresh in time must extend the access token: %v", again)
	}
	s.clock.advance(7200*time.Second - time.Nanosecond)
	if got := s.call(t, "/sns/auth"+query); got["errcode"] != 0.0 {
		t.Errorf("just before the end: %v", got)
	}
	s.clock.advance(time.Nanosecond)
	s.wantErrcode(t, "/sns/auth"+query, 42001)
	s.wantErrcode(t, "/sns/userinfo"+query, 42001)

	again = s.call(t, refresh+m["refresh_token"].(string))
	if again["access_token"] == token {
		t.Error("a refresh after the end must make a new access token")
	}
	if got := s.call(t, "/sns/userinfo?access_token="+again["access_token"].(string)+"&openid="+sender.User); got["openid"] != sender.User {
		t.Errorf("with the new token: %v", got)
	}
	s.wantErrcode(t, "/sns/auth"+query, 42001)
	s.clock.advance(30*24*time.Hour - 7200*time.Second - time.Nanosecond - time.Second)
	s.call(t, refresh+m["refresh_token"].(string))
	s.clock.advance(time.Second + time.Nanosecond)
	s.wantErrcode(t, refresh+m["refresh_token"].(string), 42002)
}

func TestMethodsAndUnknown(t *testing.T) {
	s := newSite(t, Config{})
	for _, path := range []string{"/sns/oauth2/access_token", "/sns/oauth2/refresh_token", "/sns/userinfo", "/sns/auth"} {
		resp, body := s.do(t, http.MethodPost, path)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, `{"errcode":43001,"errmsg":"require GET method, rid: `) {
			t.Errorf("POST %s: %d %s", path, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/x", "/sns/", "/cgi-bin/", "/connect/"} {
		if resp, _ := s.get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
	}
}

func TestCapped(t *testing.T) {
	s := newSite(t, Config{})
	first := s.code(t, "snsapi_base")
	second := s.code(t, "snsapi_base")
	for range maxKept - 1 {
		s.platform.accountByAppID("").oauth.newCode("snsapi_base", sender.User, false, at)
	}
	s.wantErrcode(t, exchange+first, 40029)
	if got := s.call(t, exchange+second); got["openid"] != sender.User {
		t.Errorf("the second code: %v", got)
	}
	if n := len(s.platform.accountByAppID("").oauth.codes.values); n != maxKept {
		t.Errorf("%d codes are kept", n)
	}
}
