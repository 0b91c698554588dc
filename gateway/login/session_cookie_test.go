package login

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// sealed returns the value of a session's cookie, of a user who logged in a time ago.
func sealed(t testing.TB, name, appID, openid string, ago time.Duration) string {
	t.Helper()
	s, err := newSessionSealer([][]byte{[]byte(testSessionKey)})
	if err != nil {
		t.Fatal(err)
	}
	value, err := s.sealSession(&loginSession{Account: name, AppID: appID, Scope: "snsapi_base", User: &oauthv1.UserInfo{Openid: openid}, Began: time.Now().Add(-ago)})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// whoIs asks who is logged in; "" is nobody.
func (f *fixture) whoIs(t testing.TB, query string, cookies ...*http.Cookie) (openid, account string) {
	t.Helper()
	got := f.visit(t, userinfoPath+query, cookies...)
	var user struct{ Openid, Account string }
	if err := json.Unmarshal([]byte(got.Body), &user); err != nil || (got.Status == 200) != (user.Openid != "") || got.Status != 200 && got.Status != 401 {
		t.Fatalf("%d %s, %v", got.Status, got.Body, err)
	}
	return user.Openid, user.Account
}

// TestFindingsSessionsKnowTheirAccount: a login to one account leaves the session of another, and a question about one account
// is never answered with the user of another.
func TestFindingsSessionsKnowTheirAccount(t *testing.T) {
	f, fake := start(t, nil)
	var held []*http.Cookie
	for _, name := range []string{"plain", "safe"} {
		fake.profile.Openid = "oUserOf-" + name
		fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: "oUserOf-" + name, Scope: "snsapi_userinfo,"}
		b := f.login(t, "?account="+name)
		got := f.visit(t, b.back(testCode), append(held, b.cookie)...)
		for _, c := range got.Cookies {
			if c.MaxAge < 0 {
				t.Errorf("the login to %s removes %s", name, c.Name)
			}
		}
		held = append(held, cookieOf(got, sessionCookie))
	}
	for query, want := range map[string]string{"?account=plain": "plain", "?account=safe": "safe", "": "safe", "?account=": "safe"} {
		if openid, name := f.whoIs(t, query, held...); openid != "oUserOf-"+want || name != want {
			t.Errorf("%q: %s of %s, want the user of %s", query, openid, name, want)
		}
	}
	for query, cookies := range map[string][]*http.Cookie{"?account=safe": held[:1], "?account=plain": held[1:], "?account=compat": held, "?account=nobody": held} {
		if openid, _ := f.whoIs(t, query, cookies...); openid != "" {
			t.Errorf("%q: %s, want nobody", query, openid)
		}
	}
	got := f.visit(t, userinfoPath+"?account=compat", held...)
	if want := `{"error":"not logged in","login":"/oauth/login?account=compat"}` + "\n"; got.Body != want {
		t.Errorf("%s, want %s", got.Body, want)
	}
	got = f.visit(t, userinfoPath, held...)
	if !strings.Contains(got.Body, `"scope":"snsapi_userinfo"`) {
		t.Errorf("no scope in %s", got.Body)
	}
	if got := f.visit(t, userinfoPath+"?account=safe&account=plain", held...); got.Status != 400 {
		t.Errorf("two accounts: %d, want 400", got.Status)
	}
}

// TestFindingsRemovedAccountEndsSessions: an account that left the file, or came back under another AppID, has no sessions.
func TestFindingsRemovedAccountEndsSessions(t *testing.T) {
	var present atomic.Pointer[Accounts]
	f, _ := start(t, func(cfg *Config) { cfg.Accounts = present.Load })
	club := &http.Cookie{Name: sessionCookie + "_club", Value: sealed(t, "club", "wx02", "o", 0)}
	for _, step := range []struct {
		accounts *Accounts
		want     string
	}{
		{&Accounts{Main: "shop", AppIDs: map[string]string{"shop": "wx01", "club": "wx02"}}, "club"},
		{&Accounts{Main: "shop", AppIDs: map[string]string{"shop": "wx01"}}, ""},
		{&Accounts{Main: "club", AppIDs: map[string]string{"club": "wx02", "shop": "wx01"}}, "club"},
		{&Accounts{Main: "shop", AppIDs: map[string]string{"shop": "wx01", "club": "wx03"}}, ""},
	} {
		present.Store(step.accounts)
		if _, name := f.whoIs(t, "", club); name != step.want {
			t.Errorf("accounts %v: the session is of %q, want %q", step.accounts, name, step.want)
		}
	}
}

// TestFindingsNeighboursCookies: over TLS only cookies of this host count; among several of one name the session is found.
func TestFindingsNeighboursCookies(t *testing.T) {
	mine, junk := sealed(t, "plain", testAppID, "oMine", 0), &http.Cookie{Name: sessionCookie, Value: "x"}
	older := sealed(t, "plain", testAppID, "oOther", time.Hour)
	plain, _ := start(t, nil)
	cookie := func(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }
	if openid, _ := plain.whoIs(t, "", junk, cookie(sessionCookie, older), cookie(sessionCookie, mine)); openid != "oMine" {
		t.Errorf("several of one name: %q, want oMine", openid)
	}
	secure, _ := start(t, func(cfg *Config) { cfg.PublicURL = "https://wx.example.com" })
	theirs := cookie(sessionCookie, sealed(t, "plain", testAppID, "oTheirs", 0))
	if openid, _ := secure.whoIs(t, "", theirs); openid != "" {
		t.Errorf("a cookie that a sub-domain can set is the session of %q", openid)
	}
	if openid, _ := secure.whoIs(t, "", theirs, cookie(hostPrefix+sessionCookie, "x"), cookie(hostPrefix+sessionCookie, mine)); openid != "oMine" {
		t.Errorf("beside it: %q, want oMine", openid)
	}
	b := secure.login(t, "")
	foreign := cookie(loginCookieName(b.state), b.state)
	secure.again(t, b.back(testCode), foreign)
	for _, cookies := range [][]*http.Cookie{{cookie(b.cookie.Name, "x"), b.cookie}, {b.cookie, cookie(b.cookie.Name, "x")}} {
		if got := secure.visit(t, b.back(testCode), cookies...); got.Status != 302 || cookieOf(got, sessionCookie) == nil {
			t.Errorf("two login cookies of one name: %d, cookies %v", got.Status, got.Cookies)
		}
	}
}

// TestFindingsSmallerLoginKeepsProfile: a silent login of the same user leaves the session's profile, and that of another user
// does not.
func TestFindingsSmallerLoginKeepsProfile(t *testing.T) {
	f, fake := start(t, nil)
	full := f.session(t)
	for openid, nickname := range map[string]string{testUser: testProfile().GetNickname(), "oAnother": ""} {
		fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: openid, Scope: "snsapi_base"}
		b := f.login(t, "?scope=snsapi_base")
		got := f.visit(t, userinfoPath, cookieOf(f.visit(t, b.back(testCode), b.cookie, full), sessionCookie))
		var user struct{ Openid, Nickname string }
		if err := json.Unmarshal([]byte(got.Body), &user); err != nil || user.Openid != openid || user.Nickname != nickname {
			t.Errorf("%s, %v; want %s, %q", got.Body, err, openid, nickname)
		}
	}
}

// TestFindingsFewSessions: a browser's sessions fit into its requests: the oldest ends for a new one.
func TestFindingsFewSessions(t *testing.T) {
	f, _ := start(t, func(cfg *Config) {
		names := []string{"plain", "safe"}
		for i := range 2 * maxSessions {
			names = append(names, "a"+string(rune('a'+i)))
		}
		cfg.Accounts = accountsNamed(names...)
	})
	var held []*http.Cookie
	for i := range maxSessions + 2 {
		name := "a" + string(rune('a'+i))
		held = append(held, &http.Cookie{Name: sessionCookie + "_" + name, Value: sealed(t, name, testAppID, "o", time.Duration(i)*time.Hour)})
	}
	b := f.login(t, "?"+url.Values{"account": {"safe"}}.Encode())
	got := f.visit(t, b.back(testCode), append(held, b.cookie)...)
	removed := 0
	for i, c := range held {
		if gone := got.Cookies[c.Name] != nil; gone != (i >= maxSessions-1) {
			t.Errorf("session %d: removed %v", i, gone)
		} else if gone {
			removed++
		}
	}
	if removed != 3 || cookieOf(got, sessionCookie+"_safe") == nil {
		t.Errorf("%d removed, cookies %v", removed, got.Cookies)
	}
}

// TestFindingsLargeProfile: a profile that is too large for a cookie logs in all the same, without what does not fit.
func TestFindingsLargeProfile(t *testing.T) {
	f, fake := start(t, nil)
	for name, change := range map[string]func(*oauthv1.UserInfo){
		"privileges": func(u *oauthv1.UserInfo) { u.Privilege = slices.Repeat([]string{"chinaunicom"}, 300) },
		"picture":    func(u *oauthv1.UserInfo) { u.Headimgurl = "https://thirdwx.qlogo.cn/" + strings.Repeat("x", 4000) },
		"nickname":   func(u *oauthv1.UserInfo) { u.Nickname = strings.Repeat("😀", 800) },
	} {
		fake.profile = testProfile()
		change(fake.profile)
		b := f.login(t, "")
		got := f.visit(t, b.back(testCode), b.cookie)
		held := cookieOf(got, sessionCookie)
		if held == nil || len(held.Name)+len(held.Value) > 4096 {
			t.Fatalf("%s: %d, cookies %v", name, got.Status, got.Cookies)
		}
		shown := f.visit(t, userinfoPath, held)
		if openid, _ := f.whoIs(t, "", held); openid != testUser || strings.Contains(shown.Body, "小明") != (name != "nickname") {
			t.Errorf("%s: %q, %s", name, openid, shown.Body)
		}
	}
	// What no user has, and does not fit: words of our own.
	fake.profile = testProfile()
	fake.profile.Unionid = strings.Repeat("u", 4000)
	b := f.login(t, "")
	if got := f.fails(t, b.back(testCode), b.cookie); got.Status != 500 || !strings.Contains(got.Body, "cannot log you in") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// TestFindingsUnionidOfToken: where the profile has no unionid, the token's counts.
func TestFindingsUnionidOfToken(t *testing.T) {
	f, fake := start(t, nil)
	fake.profile.Unionid = ""
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_userinfo", Unionid: "oUnion"}
	if got := f.visit(t, userinfoPath, f.session(t)); !strings.Contains(got.Body, `"unionid":"oUnion"`) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
