package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// again returns the login to which a callback without its cookie sends the browser.
func (f *fixture) again(t testing.TB, path string, cookies ...*http.Cookie) url.Values {
	t.Helper()
	got := f.visit(t, path, cookies...)
	to, err := url.Parse(got.Header.Get("Location"))
	if err != nil || got.Status != 302 || to.Path != loginPath || len(got.Cookies) != 0 {
		t.Fatalf("%d to %q, cookies %v; want to begin anew, and no cookie", got.Status, to, got.Cookies)
	}
	return to.Query()
}

// TestFindingsCallbackIsForItsBrowser: a shared callback address logs nobody in, before and after its owner used it. Whoever
// opens it begins a login of their own.
func TestFindingsCallbackIsForItsBrowser(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop&scope=snsapi_base&account=safe")
	shared := []string{b.back(testCode), b.back(testCode) + "?from=singlemessage", b.back(testCode) + "&from=singlemessage&isappinstalled=0"}
	another := f.login(t, "?return_to=/shop&scope=snsapi_base&account=safe").cookie
	stolen := &http.Cookie{Name: b.cookie.Name, Value: another.Value}
	asked := len(fake.made())
	strangers := func(when string) {
		for _, path := range shared {
			for _, cookies := range [][]*http.Cookie{nil, {another}, {stolen}, {{Name: b.cookie.Name}}} {
				q := f.again(t, path, cookies...)
				if q.Get("return_to") != "/shop" || q.Get("scope") != "snsapi_base" || q.Get("account") != "safe" {
					t.Errorf("%s, cookies %v: begins anew with %v", when, cookies, q)
				}
			}
		}
	}
	strangers("unused")
	if calls := fake.made()[asked:]; len(calls) != 0 {
		t.Errorf("oauthsvc was asked %v", calls)
	}
	if got := f.visit(t, b.back(testCode), b.cookie); got.Header.Get("Location") != "/shop" || cookieOf(got, sessionCookie) == nil {
		t.Errorf("its owner: %d, cookies %v", got.Status, got.Cookies)
	}
	strangers("used")
}

// TestFindingsLostCookieIsAskedOnce: a browser that lost its cookie is logged in by a second round, and one that keeps none
// is told so.
func TestFindingsLostCookieIsAskedOnce(t *testing.T) {
	f, _ := start(t, nil)
	first := f.login(t, "?return_to=/shop&scope=snsapi_base")
	second := f.login(t, "?"+f.again(t, first.back(testCode)).Encode())
	if second.scope != "snsapi_base" {
		t.Errorf("scope %s, want snsapi_base", second.scope)
	}
	if got := f.visit(t, second.back(testCode), second.cookie); got.Header.Get("Location") != "/shop" || cookieOf(got, sessionCookie) == nil {
		t.Errorf("with its cookie: %d to %q", got.Status, got.Header.Get("Location"))
	}
	got := f.fails(t, second.back(testCode))
	if got.Status != 400 || !strings.Contains(got.Body, "cookie") || !strings.Contains(got.Body, "浏览器") {
		t.Errorf("without: %d %s", got.Status, got.Body)
	}
	if q := retryOf(t, got.Body); q.Get("return_to") != "/shop" || q.Has("again") {
		t.Errorf("try again with %v", q)
	}
}

// TestFindingsUsedCallbackGoesOn: who is logged in, and comes back to the own callback address, goes on, at any time.
func TestFindingsUsedCallbackGoesOn(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop")
	mine := cookieOf(f.visit(t, b.back(testCode), b.cookie), sessionCookie)
	second := f.login(t, "?return_to=/cart")
	both := cookieOf(f.visit(t, second.back(testCode), second.cookie, mine), sessionCookie)
	asked := len(fake.made())
	for path, want := range map[string]string{b.back(testCode): "/shop", b.back(testCode) + "&from=timeline": "/shop", second.back(testCode): "/cart"} {
		if got := f.visit(t, path, both); got.Status != 302 || got.Header.Get("Location") != want || len(got.Cookies) != 0 {
			t.Errorf("%d to %q, cookies %v; want %s", got.Status, got.Header.Get("Location"), got.Cookies, want)
		}
	}
	f.again(t, second.back(testCode), mine) // that session came by another login

	signer := newStateSigner([][]byte{[]byte(testSessionKey)})
	old := signer.makeState("plain", "/shop", time.Now().Add(-3*24*time.Hour))
	sealed, err := newSessionSealer([][]byte{[]byte(testSessionKey)})
	if err != nil {
		t.Fatal(err)
	}
	value, err := sealed.sealSession(&loginSession{Account: "plain", AppID: testAppID, User: testProfile(), Logins: []string{hashState(old)}})
	if err != nil {
		t.Fatal(err)
	}
	held := &http.Cookie{Name: sessionCookie, Value: value}
	path := callbackPath + "?return_to=%2Fshop&code=" + testCode + "&state="
	if got := f.visit(t, path+old, held); got.Status != 302 || got.Header.Get("Location") != "/shop" {
		t.Errorf("days later: %d to %q", got.Status, got.Header.Get("Location"))
	}
	for name, path := range map[string]string{
		"without the session":        path + old,
		"to elsewhere":               callbackPath + "?return_to=%2Fbank&code=" + testCode + "&state=" + old,
		"with another expired state": path + signer.makeState("plain", "/shop", time.Now().Add(-3*24*time.Hour)),
	} {
		cookies := []*http.Cookie{held}
		if name == "without the session" {
			cookies = []*http.Cookie{{Name: loginCookieName(old), Value: old}}
		}
		if got := f.fails(t, path, cookies...); got.Status != 403 {
			t.Errorf("%s: %d, want 403", name, got.Status)
		}
	}
	if calls := fake.made()[asked:]; len(calls) != 0 {
		t.Errorf("oauthsvc was asked %v", calls)
	}
}

// TestFindingsTwoLoginsInOneBrowser: logins that are under way at once in one browser all succeed, in any order.
func TestFindingsTwoLoginsInOneBrowser(t *testing.T) {
	f, _ := start(t, nil)
	first, second := f.login(t, "?return_to=/a"), f.login(t, "?return_to=/b&account=safe")
	for _, b := range []begun{second, first} {
		got := f.visit(t, b.back(testCode), first.cookie, second.cookie)
		if got.Status != 302 || got.Header.Get("Location") != b.redirect.Query().Get("return_to") || cookieOf(got, sessionCookie) == nil {
			t.Errorf("%d to %q, cookies %v", got.Status, got.Header.Get("Location"), got.Cookies)
		}
	}
}

// TestFindingsFewLoginCookies: the oldest of many logins lose their cookies, and what is no state goes first.
func TestFindingsFewLoginCookies(t *testing.T) {
	f, _ := start(t, nil)
	signer := newStateSigner([][]byte{[]byte(testSessionKey)})
	var held []*http.Cookie
	for i := range 2 * maxLogins {
		state := signer.makeState("plain", "/", time.Now().Add(time.Duration(-i)*time.Second))
		held = append(held, &http.Cookie{Name: loginCookieName(state), Value: state})
	}
	held = append([]*http.Cookie{{Name: loginCookie + "_junk", Value: "x"}, {Name: "other", Value: "x"}}, held...)
	got := f.visit(t, loginPath, held...)
	removed := map[string]bool{}
	for _, c := range got.Cookies {
		if c.MaxAge < 0 {
			removed[c.Name] = true
		}
	}
	for i, c := range held {
		kept := c.Name == "other" || i >= 2 && i < 2+maxLogins-1
		if removed[c.Name] == kept {
			t.Errorf("cookie %d, %s: removed %v", i, c.Name, removed[c.Name])
		}
	}
	if cookieOf(got, loginCookie+"_") == nil {
		t.Error("the new login has no cookie")
	}
}
