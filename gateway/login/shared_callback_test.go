package login

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	oauthv1 "wxgate/proto/oauth/v1"
)

// What /oauth/login is told goes on to oauthsvc.
func TestForce(t *testing.T) {
	for query, want := range map[string]*oauthv1.GetAuthorizeUrlRequest{
		"":                                       {Scope: "snsapi_userinfo"},
		"?force_popup=&force_snapshot=":          {Scope: "snsapi_userinfo"},
		"?force_popup=false":                     {Scope: "snsapi_userinfo"},
		"?force_popup=true":                      {Scope: "snsapi_userinfo", ForcePopup: true},
		"?force_snapshot=true&force_popup=false": {Scope: "snsapi_userinfo", ForceSnapshot: true},
		"?scope=snsapi_login&force_popup=true&force_snapshot=true": {Scope: "snsapi_login", ForcePopup: true, ForceSnapshot: true},
	} {
		f, fake := start(t, nil)
		b := f.login(t, query)
		want.Account, want.RedirectUri, want.State = "plain", b.redirect.String(), b.state
		if diff := cmp.Diff([]proto.Message{want}, fake.made(), protocmp.Transform()); diff != "" {
			t.Errorf("%q: calls (-want +got):\n%s", query, diff)
		}
	}
}

// WeChat's clients append to addresses that are shared. The login ends well even so, and only one is made of it.
func TestSharedCallback(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop")
	back := b.back(testCode)
	inOrder := callbackPath + "?return_to=%2Fshop&code=" + testCode + "&state=" + b.state // as WeChat makes it
	otherOrder := callbackPath + "?return_to=%2Fshop&state=" + b.state + "&code=" + testCode
	for _, path := range []string{
		back + "&from=singlemessage&isappinstalled=0", back + "&from=timeline", back + "&from=a&from=b&nsukey=x%2By",
		inOrder + "?from=singlemessage&isappinstalled=0", inOrder + "?from=groupmessage", inOrder + "%3Ffrom=timeline&isappinstalled=0",
		otherOrder + "?from=singlemessage&isappinstalled=0", callbackPath + "?from=singlemessage&isappinstalled=0&" + inOrder[len(callbackPath)+1:],
	} {
		got := f.visit(t, path, b.cookie)
		if got.Status != 302 || got.Header.Get("Location") != "/shop" || cookieOf(got, sessionCookie) == nil {
			t.Errorf("%s: %d to %q, %s", path, got.Status, got.Header.Get("Location"), got.Body)
		}
	}
	for _, call := range fake.made()[1:] {
		want := &oauthv1.ExchangeCodeRequest{Account: "plain", Code: testCode, State: b.state}
		if _, ok := call.(*oauthv1.ExchangeCodeRequest); !ok {
			continue
		}
		if diff := cmp.Diff(want, call, protocmp.Transform()); diff != "" {
			t.Errorf("call (-want +got):\n%s", diff)
		}
	}
}

// What is appended makes no bad callback good.
func TestBadSharedCallback(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop")
	const tail = "?from=singlemessage&isappinstalled=0"
	begin := callbackPath + "?return_to=%2Fshop"
	for path, want := range map[string]int{
		begin + "&code=" + testCode + "&state=" + tail:                          403,
		begin + "&code=" + testCode + tail:                                      403,
		begin + "&code=" + testCode + "&state=" + b.state[:71] + tail:           403,
		begin + "&code=" + testCode + "&state=x" + tail + b.state:               403,
		begin + "&state=" + b.state + tail:                                      400, // declined
		begin + "&state=" + b.state + "&code=" + tail:                           400, // declined
		begin + tail + "&code=" + testCode + "&state=" + b.state:                403, // another return_to
		begin + "&code=" + testCode + "&state=" + b.state + tail + "&code=x":    400,
		begin + "&code=" + testCode + "&state=" + b.state + "&state=" + b.state: 400,
	} {
		got := f.fails(t, path, b.cookie)
		if got.Status != want || len(got.Cookies) != 0 {
			t.Errorf("%s: %d, cookies %v; want %d", path, got.Status, got.Cookies, want)
		}
	}
	if calls := fake.made()[1:]; len(calls) != 0 {
		t.Errorf("oauthsvc was asked %v", calls)
	}
}

// A state is good for the code that it brought first.
func TestReplayedState(t *testing.T) {
	f, _ := start(t, nil)
	b := f.login(t, "")
	for i, test := range []struct {
		code string
		want int
	}{{testCode, 302}, {testCode, 302}, {testCode + "x", 403}, {testCode, 302}} {
		if test.want == 403 {
			if got := f.fails(t, b.back(test.code), b.cookie); got.Status != 403 {
				t.Errorf("visit %d: %d, want 403", i, got.Status)
			}
			continue
		}
		if got := f.visit(t, b.back(test.code), b.cookie); got.Status != 302 || cookieOf(got, sessionCookie) == nil {
			t.Errorf("visit %d: %d, cookies %v; want a session", i, got.Status, got.Cookies)
		}
	}
}

// A login that failed is tried again with the scope that it had: a QR code is for another browser than WeChat's.
func TestRetryKeepsScope(t *testing.T) {
	f, fake := start(t, nil)
	for scope, want := range map[string]string{"snsapi_login": "snsapi_login", "snsapi_base": "snsapi_base", "snsapi_userinfo": ""} {
		b := f.login(t, "?scope="+scope)
		fake.will("ExchangeCode", context.DeadlineExceeded)
		for _, code := range []string{"", testCode} {
			if got := retryOf(t, f.fails(t, b.back(code), b.cookie).Body).Get("scope"); got != want {
				t.Errorf("%s, code %q: try again with scope %q, want %q", scope, code, got, want)
			}
		}
	}
}

// A scanned QR code shows the profile too, and the session knows how it was made.
func TestScannedLogin(t *testing.T) {
	f, fake := start(t, nil)
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_login"}
	b := f.login(t, "?scope=snsapi_login&account=safe")
	got := f.page(t, cookieOf(f.visit(t, b.back(testCode), b.cookie), sessionCookie))
	if got.Status != 200 || !strings.Contains(got.Body, "小明") || !strings.Contains(got.Body, "<dd>snsapi_login</dd>") || !strings.Contains(got.Body, "<dd>safe</dd>") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
