package oauthsvc

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	oauthv1 "wxgate/proto/oauth/v1"
)

// keepUser lets the service have a user's token already.
func (f *fixture) keepUser(t *testing.T, token string, expires time.Time) {
	t.Helper()
	if err := f.server.users.put(t.Context(), f.account(t), testOpenID, userToken{AccessToken: token, Expires: expires, RefreshToken: testFresh}); err != nil {
		t.Fatal(err)
	}
}

// ofKept asks for the profile of a user by the kept token.
func (f *fixture) ofKept(ctx context.Context) error {
	_, err := f.GetUserInfo(ctx, &oauthv1.GetUserInfoRequest{Openid: testOpenID})
	return err
}

func withUserToken(token string) asked {
	return asked{userInfoCall, url.Values{"access_token": {token}, "openid": {testOpenID}, "lang": {"zh_CN"}}, ""}
}

var refreshing = asked{refreshCall, url.Values{"appid": {testAppID}, "grant_type": {"refresh_token"}, "refresh_token": {testFresh}}, ""}

func TestKeptUser(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	anHour := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		expires   time.Time
		userInfo  []string // answers; nil: good ones
		refresh   []string
		want      string // reason
		wantAsked []asked
	}{
		"good":                    {anHour, nil, nil, "", []asked{withUserToken("kept")}},
		"expired":                 {time.Now().Add(-time.Hour), nil, nil, "", []asked{refreshing, withUserToken("refreshed")}},
		"about to expire":         {time.Now().Add(refreshEarly / 2), nil, nil, "", []asked{refreshing, withUserToken("refreshed")}},
		"refused, 42001":          {anHour, []string{refusedWith(42001), `{"openid":"` + testOpenID + `"}`}, nil, "", []asked{withUserToken("kept"), refreshing, withUserToken("refreshed")}},
		"refused, 40001":          {anHour, []string{refusedWith(40001), `{"openid":"` + testOpenID + `"}`}, nil, "", []asked{withUserToken("kept"), refreshing, withUserToken("refreshed")}},
		"refused, 40014":          {anHour, []string{refusedWith(40014), `{"openid":"` + testOpenID + `"}`}, nil, "", []asked{withUserToken("kept"), refreshing, withUserToken("refreshed")}},
		"refused twice":           {anHour, []string{refusedWith(40001)}, nil, "TOKEN_INVALID", []asked{withUserToken("kept"), refreshing, withUserToken("refreshed")}},
		"scope too small":         {anHour, []string{refusedWith(48001)}, nil, "NOT_AUTHORIZED", []asked{withUserToken("kept")}},
		"address not allowed":     {anHour, []string{refusedWith(40164)}, nil, "IP_NOT_ALLOWED", []asked{withUserToken("kept")}},
		"refresh not possible":    {time.Time{}, nil, []string{refusedWith(45009)}, "QUOTA_EXHAUSTED", []asked{refreshing}},
		"refresh token expired":   {time.Time{}, nil, []string{refusedWith(42002)}, "LOGIN_REQUIRED", []asked{refreshing}},
		"refresh token not known": {time.Time{}, nil, []string{refusedWith(40030)}, "LOGIN_REQUIRED", []asked{refreshing}},
		"password changed":        {time.Time{}, nil, []string{refusedWith(42007)}, "LOGIN_REQUIRED", []asked{refreshing}},
		"user withdrew":           {time.Time{}, nil, []string{refusedWith(50001)}, "LOGIN_REQUIRED", []asked{refreshing}},
	} {
		t.Run(name, func(t *testing.T) {
			p.grants()
			f.keepUser(t, "kept", tt.expires)
			if tt.userInfo != nil {
				p.says(userInfoCall, tt.userInfo...)
			}
			if tt.refresh != nil {
				p.says(refreshCall, tt.refresh...)
			}
			if got := seen(t, f.ofKept(t.Context())); got.Reason != tt.want {
				t.Errorf("got %+v; want %q", got, tt.want)
			}
			if diff := cmp.Diff(tt.wantAsked, p.got("")); diff != "" {
				t.Errorf("WeChat was asked (-want +got):\n%s", diff)
			}
			again := f.ofKept(t.Context())
			switch tt.want {
			case "LOGIN_REQUIRED": // what died is not asked for again
				expect(t, again, codes.Unauthenticated, "LOGIN_REQUIRED")
				p.expectCalls(t)
			case "": // what was refreshed is kept
				p.expectCalls(t, userInfoCall)
			}
		})
	}
}

func TestRefreshOnce(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	f.keepUser(t, "kept", time.Time{})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := f.ofKept(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refreshed := p.got(refreshCall); len(refreshed) != 1 {
		t.Errorf("refreshed %d times; want once", len(refreshed))
	}
}

// TestWhileRefreshing: a login or withdrawal during a refresh counts more than the refreshed token.
func TestWhileRefreshing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		during func(*fixture, context.Context) error
		want   string // the token kept afterwards, "" for none
	}{
		"login, and the refresh token dies": {refusedWith(42002), (*fixture).login, testToken},
		"login":                             {newPlatform().answers[refreshCall][0], (*fixture).login, testToken},
		"forgotten":                         {newPlatform().answers[refreshCall][0], (*fixture).forget, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			p.says(refreshCall, tt.answer)
			var f *fixture
			var once atomic.Bool
			f = start(t, func(w http.ResponseWriter, r *http.Request) {
				if call(r.URL.Path) == refreshCall && once.CompareAndSwap(false, true) {
					if err := tt.during(f, t.Context()); err != nil {
						t.Error(err)
					}
				}
				p.ServeHTTP(w, r)
			})
			f.keepUser(t, "kept", time.Time{})
			_ = f.ofKept(t.Context())
			kept, _, err := f.server.users.get(t.Context(), f.account(t), testOpenID)
			if err != nil || kept.AccessToken != tt.want {
				t.Errorf("kept: %q, %v; want %q", kept.AccessToken, err, tt.want)
			}
		})
	}
}

func (f *fixture) login(ctx context.Context) error { return f.do(ctx, exchangeCall) }

func (f *fixture) forget(ctx context.Context) error {
	_, err := f.ForgetUser(ctx, &oauthv1.ForgetUserRequest{Openid: testOpenID})
	return err
}

func TestForgetUser(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
	if err := f.login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.ofKept(t.Context()); err != nil {
		t.Errorf("after a login: %v", err)
	}
	for range 2 {
		if err := f.forget(t.Context()); err != nil {
			t.Errorf("forget: %v", err)
		}
		expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
	}
	p.expectCalls(t, exchangeCall, userInfoCall)
	_, err := f.ForgetUser(t.Context(), &oauthv1.ForgetUserRequest{})
	expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	expectField(t, err, "openid")
}

func TestSnapshotUserIsNotKept(t *testing.T) {
	p := newPlatform()
	p.says(exchangeCall, sample(t, "sns.access_token.snapshot.json"))
	f := p.serve(t)
	got, err := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: "c"})
	if err != nil || got.GetToken().GetIsSnapshotuser() != 1 {
		t.Fatalf("%v, %v; want a snapshot user", got, err)
	}
	_, err = f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{Openid: got.GetToken().GetOpenid()})
	expect(t, err, codes.Unauthenticated, "LOGIN_REQUIRED")
	p.expectCalls(t, exchangeCall)
}

// TestFindingsProfileOfAnother: a profile that WeChat gives for another user than asked is nobody's.
func TestFindingsProfileOfAnother(t *testing.T) {
	p := newPlatform()
	p.says(userInfoCall, `{"openid":"oAnother","nickname":"n"}`)
	f := p.serve(t)
	f.keepUser(t, "kept", time.Now().Add(time.Hour))
	expect(t, f.ofKept(t.Context()), codes.Unknown, "UPSTREAM_ERROR")
	expect(t, f.do(t.Context(), userInfoCall), codes.Unknown, "UPSTREAM_ERROR")
	p.expectCalls(t, userInfoCall, userInfoCall)
}

// TestFindingsSmallerLoginKeepsToken: a token that shows less does not replace one that shows the profile; one that shows as
// much does.
func TestFindingsSmallerLoginKeepsToken(t *testing.T) {
	p := newPlatform()
	answer := func(token, scope string) string {
		return `{"access_token":"` + token + `","expires_in":7200,"refresh_token":"r","openid":"` + testOpenID + `","scope":"` + scope + `"}`
	}
	p.says(exchangeCall, answer("base", "snsapi_base"), answer("full", "snsapi_userinfo,"), answer("base again", "snsapi_base"), answer("next", "snsapi_userinfo"), answer("scanned", "snsapi_login"))
	f := p.serve(t)
	for i, want := range []string{"base", "full", "full", "next", "scanned"} {
		if _, err := f.exchange(t.Context(), "", "code"+want+string(rune('0'+i)), ""); err != nil {
			t.Fatal(err)
		}
		kept, _, err := f.server.users.get(t.Context(), f.account(t), testOpenID)
		if err != nil || kept.AccessToken != want {
			t.Errorf("login %d: %q is kept, %v; want %q", i, kept.AccessToken, err, want)
		}
	}
}

// TestFindingsRefreshedToken: what a refresh leaves out stays, a life that is missing is a short one, and another user's token is
// not kept.
func TestFindingsRefreshedToken(t *testing.T) {
	p := newPlatform()
	p.says(refreshCall, `{"access_token":"next","openid":"`+testOpenID+`"}`, `{"access_token":"a","refresh_token":"r","openid":"oAnother"}`)
	f := p.serve(t)
	before := userToken{AccessToken: "kept", RefreshToken: testFresh, Scope: "snsapi_userinfo"}
	if err := f.server.users.put(t.Context(), f.account(t), testOpenID, before); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.ofKept(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.expectCalls(t, refreshCall, userInfoCall, userInfoCall, userInfoCall)
	kept, _, err := f.server.users.get(t.Context(), f.account(t), testOpenID)
	if err != nil || kept.AccessToken != "next" || kept.RefreshToken != testFresh || kept.Scope != "snsapi_userinfo" {
		t.Errorf("kept: refresh token %v, scope %q, %v; want those of before", kept.RefreshToken == testFresh, kept.Scope, err)
	}
	f.keepUser(t, "kept", time.Time{})
	expect(t, f.ofKept(t.Context()), codes.Unknown, "UPSTREAM_ERROR")
	if kept, _, err := f.server.users.get(t.Context(), f.account(t), testOpenID); err != nil || kept.AccessToken != "kept" {
		t.Errorf("kept: %q, %v; want what was kept before", kept.AccessToken, err)
	}
}
