package login

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	oauthv1 "wxgate/proto/oauth/v1"
)

// flags are what a cookie says besides its value.
type flags struct {
	Path             string
	MaxAge           int
	HTTPOnly, Secure bool
	SameSite         http.SameSite
}

func flagsOf(c *http.Cookie) flags {
	if c == nil {
		return flags{}
	}
	return flags{c.Path, c.MaxAge, c.HttpOnly, c.Secure, c.SameSite}
}

func TestLogin(t *testing.T) {
	for _, test := range []struct {
		name, publicURL, query string
		redirect, scope        string // redirect without our own host where it starts with /
		secure                 bool
	}{
		{"defaults", "", "", "/oauth/callback?return_to=%2Foauth%2Fuserinfo", "snsapi_userinfo", false},
		{"all given", "https://wx.example.com", "?return_to=/shop%3Fa=1%26b=2&scope=snsapi_base&account=safe",
			"https://wx.example.com/oauth/callback?account=safe&return_to=%2Fshop%3Fa%3D1%26b%3D2&scope=snsapi_base", "snsapi_base", true},
		{"QR code", "https://wx.example.com", "?scope=snsapi_login", "https://wx.example.com/oauth/callback?return_to=%2Foauth%2Fuserinfo&scope=snsapi_login", "snsapi_login", true},
		{"all empty", "https://wx.example.com/", "?return_to=&scope=&account=", "https://wx.example.com/oauth/callback?return_to=%2Foauth%2Fuserinfo", "snsapi_userinfo", true},
		{"public URL without TLS", "http://wx.example.com:8000", "?account=plain", "http://wx.example.com:8000/oauth/callback?return_to=%2Foauth%2Fuserinfo", "snsapi_userinfo", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, fake := start(t, func(cfg *Config) { cfg.PublicURL = test.publicURL })
			b := f.login(t, test.query)
			want := test.redirect
			if test.publicURL == "" {
				want = f.public + want
			}
			if b.redirect.String() != want || b.scope != test.scope {
				t.Errorf("redirect_uri %s, scope %s; want %s, %s", b.redirect, b.scope, want, test.scope)
			}
			if !regexp.MustCompile(`^[a-zA-Z0-9]{32,128}$`).MatchString(b.state) {
				t.Errorf("state %q is not what WeChat takes", b.state)
			}
			path, name := "/oauth/", loginCookieName(b.state)
			if test.secure {
				path, name = "/", hostPrefix+name
			}
			if b.cookie.Name != name {
				t.Errorf("cookie %s, want %s", b.cookie.Name, name)
			}
			wantFlags := flags{path, int(stateLife.Seconds()), true, test.secure, http.SameSiteLaxMode}
			if diff := cmp.Diff(wantFlags, flagsOf(b.cookie)); diff != "" {
				t.Errorf("cookie (-want +got):\n%s", diff)
			}
			if again := f.login(t, test.query); again.state == b.state {
				t.Error("two logins have one state")
			}
			asked, _ := fake.made()[0].(*oauthv1.GetAuthorizeUrlRequest)
			account := "plain"
			if strings.Contains(test.query, "account=safe") {
				account = "safe"
			}
			if asked.GetAccount() != account {
				t.Errorf("oauthsvc was asked for account %q, want %q", asked.GetAccount(), account)
			}
		})
	}
}

// An answer of /oauth/ is nobody's to cache, and its address nobody's to learn.
func TestOAuthHeaders(t *testing.T) {
	f, _ := start(t, nil)
	for _, path := range []string{loginPath, loginPath + "?scope=x", callbackPath, userinfoPath, logoutPath} {
		h := f.visit(t, path).Header
		got := []string{h.Get("Cache-Control"), h.Get("Referrer-Policy"), h.Get("X-Content-Type-Options")}
		if diff := cmp.Diff([]string{"no-store", "no-referrer", "nosniff"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if got := f.do(t, "POST", f.public+loginPath, nil); got.Status != 405 {
		t.Errorf("POST: %d, want 405", got.Status)
	}
}

func TestCallback(t *testing.T) {
	f, fake := start(t, func(cfg *Config) { cfg.PublicURL = "https://wx.example.com" })
	b := f.login(t, "?return_to=/shop&account=safe")
	for i, cookies := range [][]*http.Cookie{{b.cookie}, {b.cookie}} { // the second comes of a browser that did not hear the first answer
		got := f.visit(t, b.back(testCode), cookies...)
		if got.Status != 302 || got.Header.Get("Location") != "/shop" {
			t.Errorf("visit %d: %d to %q; want 302 to /shop", i, got.Status, got.Header.Get("Location"))
		}
		want := flags{"/", int(sessionLife.Seconds()), true, true, http.SameSiteLaxMode}
		if diff := cmp.Diff(want, flagsOf(got.Cookies["__Host-wxgate_session_safe"])); diff != "" {
			t.Errorf("visit %d: session cookie (-want +got):\n%s", i, diff)
		}
		if shows(cookieOf(got, sessionCookie).Value, testUser) {
			t.Error("the session cookie shows the openid")
		}
	}
	want := []proto.Message{
		&oauthv1.ExchangeCodeRequest{Account: "safe", Code: testCode, State: b.state},
		&oauthv1.GetUserInfoRequest{Account: "safe", AccessToken: testAccess, Openid: testUser},
	}
	if diff := cmp.Diff(want, fake.made()[1:3], protocmp.Transform()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, line := range f.lines(t, "http")[1:] {
		if line["user"] != "oGatew…" || line["status"] != 302.0 {
			t.Errorf("line: %v", line)
		}
	}
}

// shows reports whether s contains text, in the clear or in base64.
func shows(s, text string) bool {
	if strings.Contains(s, text) {
		return true
	}
	for piece := range strings.SplitSeq(s, "|") {
		if inner, err := base64.URLEncoding.DecodeString(piece); err == nil && len(inner) > 0 && shows(string(inner), text) {
			return true
		}
	}
	return false
}

// The return address is the one that was asked for, to the byte.
func TestReturnAddressIsKept(t *testing.T) {
	f, _ := start(t, nil)
	for _, to := range []string{"/", "/a?b=c&d=%2F#e", "/a//b/../c", "/app#/route//x/../y", "/a/.", "/a?next=https://x.example//y", "/%E4%BD%A0",
		"https://www.good.example/a//b/../c?d#e", "https://www.good.example", "http://good.example:8443/x"} {
		b := f.login(t, "?return_to="+url.QueryEscape(to))
		if got := f.visit(t, b.back(testCode), b.cookie); got.Status != 302 || got.Header.Get("Location") != to {
			t.Errorf("return_to %q leads to %d %q", to, got.Status, got.Header.Get("Location"))
		}
		if got := f.do(t, "POST", f.public+logoutPath+"?return_to="+url.QueryEscape(to), nil); got.Status != 303 || got.Header.Get("Location") != to {
			t.Errorf("logout to %q leads to %d %q", to, got.Status, got.Header.Get("Location"))
		}
	}
}

// What is no login of ours ends before oauthsvc hears of it, and says one thing.
func TestStates(t *testing.T) {
	f, fake := start(t, nil)
	signer := newStateSigner([][]byte{[]byte(testSessionKey)})
	other := newStateSigner([][]byte{[]byte("another key another key another key")})
	mine := f.login(t, "?return_to=/shop")
	asked := len(fake.made())
	now := time.Now()
	page := ""
	for name, test := range map[string]struct {
		change url.Values
	}{
		"missing":               {change: url.Values{"state": nil}},
		"empty":                 {change: url.Values{"state": {""}}},
		"junk":                  {change: url.Values{"state": {"junk"}}},
		"a digit off":           {change: url.Values{"state": {mine.state[:71] + string(mine.state[71]^1)}}},
		"cut":                   {change: url.Values{"state": {mine.state[:70]}}},
		"longer":                {change: url.Values{"state": {mine.state + "00"}}},
		"of another key":        {change: url.Values{"state": {other.makeState("plain", "/shop", now)}}},
		"expired":               {change: url.Values{"state": {signer.makeState("plain", "/shop", now.Add(-stateLife-2*time.Second))}}},
		"of another account":    {change: url.Values{"account": {"safe"}}},
		"of another return_to":  {change: url.Values{"return_to": {"/bank"}}},
		"without its return_to": {change: url.Values{"return_to": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := url.ParseQuery(mine.back(testCode)[len(callbackPath)+1:])
			maps.Copy(q, test.change)
			got := f.fails(t, callbackPath+"?"+q.Encode(), mine.cookie)
			if got.Status != 403 || !strings.Contains(got.Body, `href="/oauth/login?`) {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			said, _, _ := strings.Cut(got.Body, "<a ")
			if page != "" && page != said {
				t.Errorf("another page than for other states: %s", got.Body)
			}
			page = said
		})
	}
	if got := fake.made()[asked:]; len(got) != 0 {
		t.Errorf("oauthsvc was asked %v", got)
	}
	if got := f.visit(t, mine.back(testCode), mine.cookie); got.Status != 302 {
		t.Errorf("the good state: %d", got.Status)
	}
}

func TestBadOAuthRequests(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "")
	asked := len(fake.made())
	back := b.back(testCode)
	for _, path := range []string{
		loginPath + "?scope=snsapi_all", loginPath + "?force_popup=1", loginPath + "?force_snapshot=TRUE", loginPath + "?force_popup=true&force_popup=true", failedPath + "?%zz", failedPath + "?reason=a&reason=b", back + "&scope=snsapi_all", back + "&scope=snsapi_base&scope=snsapi_base",
		loginPath + "?account=nobody", loginPath + "?return_to=//evil.example", loginPath + "?%zz", loginPath + "?a;b",
		loginPath + "?scope=snsapi_base&scope=snsapi_base", loginPath + "?account=safe&account=plain", loginPath + "?return_to=/a&return_to=/b",
		back + "&code=" + testCode, back + "&state=" + b.state, back + "&return_to=/x", back + "&account=plain&account=safe", back + "&account=nobody", back + "&%zz",
		callbackPath + "?code=" + testCode + "&state=" + b.state + "&return_to=//evil.example",
		logoutPath + "?return_to=//evil.example", logoutPath + "?return_to=/a&return_to=/b", logoutPath + "?%zz",
	} {
		got := f.visit(t, path)
		if strings.HasPrefix(path, callbackPath) {
			got = f.fails(t, path)
		}
		if got.Status != 400 || len(got.Cookies) != 0 || !strings.Contains(got.Body, "<title>") {
			t.Errorf("%s: %d, cookies %v, %s; want a 400 page", path, got.Status, got.Cookies, got.Body)
		}
	}
	if got := fake.made()[asked:]; len(got) != 0 {
		t.Errorf("oauthsvc was asked %v", got)
	}
}

// A token whose scope shows no profile is not used to ask for one.
func TestNoProfile(t *testing.T) {
	f, fake := start(t, nil)
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Unionid: "u", Scope: "snsapi_base"}
	got := f.visit(t, userinfoPath, f.session(t))
	user := &oauthv1.UserInfo{}
	if err := readUser.Unmarshal([]byte(got.Body), user); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&oauthv1.UserInfo{Openid: testUser, Unionid: "u"}, user, protocmp.Transform()); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	fake.neverAskedForProfile(t)
}

// A user of the snapshot page is made up: nobody is logged in.
func TestSnapshotUser(t *testing.T) {
	f, fake := start(t, nil)
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_userinfo", IsSnapshotuser: 1}
	b := f.login(t, "?return_to=/shop")
	got := f.fails(t, b.back(testCode), b.cookie)
	if got.Status != 400 || !strings.Contains(got.Body, "使用完整服务") {
		t.Errorf("%d, cookies %v, %s", got.Status, got.Cookies, got.Body)
	}
	if q := retryOf(t, got.Body); q.Get("return_to") != "/shop" {
		t.Errorf("try again with %v", q)
	}
	fake.neverAskedForProfile(t)
}
