package oauthsvc

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

// exchange exchanges a code and returns the access token.
func (f *fixture) exchange(ctx context.Context, account, code, state string) (string, error) {
	got, err := f.ExchangeCode(ctx, &oauthv1.ExchangeCodeRequest{Account: account, Code: code, State: state})
	return got.GetToken().GetAccessToken(), err
}

// TestExchangeOnce: the first caller leaves, its call continues, and all others get its outcome.
func TestExchangeOnce(t *testing.T) {
	p := newPlatform()
	arrived, release := make(chan struct{}), make(chan struct{})
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // a second call would panic
		<-release
		p.ServeHTTP(w, r)
	})
	first, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- f.do(first, exchangeCall) }()
	<-arrived
	leave()
	expect(t, <-gone, codes.Canceled, "")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if token, err := f.exchange(t.Context(), "", testCode, testState); err != nil || token != testToken {
				t.Errorf("%q, %v; want the token that the first caller asked for", token, err)
			}
		})
	}
	_, err := f.exchange(t.Context(), "", "another", testState)
	expect(t, err, codes.PermissionDenied, "STATE_USED")
	close(release)
	all.Wait()
	p.expectCalls(t, exchangeCall)
}

func TestOutcomeIsKept(t *testing.T) {
	if keepExchange != 5*time.Minute {
		t.Errorf("an outcome is kept for %s; want 5m", keepExchange)
	}
	p := newPlatform()
	f := p.serve(t)
	for _, tt := range []struct {
		errcode int // 0: success
		code    codes.Code
		reason  string
	}{
		{0, codes.OK, ""},
		{40029, codes.InvalidArgument, "CODE_INVALID"},
		{40163, codes.InvalidArgument, "CODE_USED"},
		{42003, codes.InvalidArgument, "CODE_EXPIRED"},
		{50001, codes.Unauthenticated, "LOGIN_REQUIRED"},
		{50002, codes.PermissionDenied, "USER_RESTRICTED"},
	} {
		t.Run(fmt.Sprint(tt.errcode), func(t *testing.T) {
			p.got("")
			if tt.errcode != 0 {
				p.says(exchangeCall, refusedWith(tt.errcode), refusedWith(40163))
			} else {
				p.says(exchangeCall, newPlatform().answers[exchangeCall][0], refusedWith(40163))
			}
			code := fmt.Sprint("code", tt.errcode)
			for range 3 {
				token, err := f.exchange(t.Context(), "", code, "")
				if got := seen(t, err); got.Code != tt.code || got.Reason != tt.reason || (token == testToken) != (tt.errcode == 0) {
					t.Errorf("%q, %+v; want %s %s", token, got, tt.code, tt.reason)
				} else if tt.errcode != 0 && (got.Meta["errcode"] != fmt.Sprint(tt.errcode) || got.Meta["rid"] == "") {
					t.Errorf("metadata %v; want errcode and rid", got.Meta)
				}
			}
			p.expectCalls(t, exchangeCall)
		})
	}
}

// TestFailureIsNotKept: after a failure that is not about the code, the code can be tried again with its state.
func TestFailureIsNotKept(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	f.server.api.Pause = never
	good := p.answers[exchangeCall][0]
	for name, tt := range map[string]struct{ answer, reason string }{
		"busy":         {refusedWith(-1), "UPSTREAM_UNAVAILABLE"},
		"toooften":     {refusedWith(45011), "RATE_LIMITED"},
		"wrongsecret":  {refusedWith(40125), "CREDENTIALS_INVALID"},
		"address":      {refusedWith(40164), "IP_NOT_ALLOWED"},
		"unknown":      {refusedWith(12345), "UPSTREAM_ERROR"},
		"nonsense":     {"<html>", "UPSTREAM_UNAVAILABLE"},
		"halfofanswer": {good[:20], "UPSTREAM_UNAVAILABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			p.got("")
			p.says(exchangeCall, tt.answer, good)
			_, err := f.exchange(t.Context(), "", name, name)
			if got := seen(t, err); got.Reason != tt.reason {
				t.Errorf("first: %+v; want %s", got, tt.reason)
			}
			_, err = f.exchange(t.Context(), "", "another", name)
			expect(t, err, codes.PermissionDenied, "STATE_USED")
			if token, err := f.exchange(t.Context(), "", name, name); err != nil || token != testToken {
				t.Errorf("second: %q, %v; want the token", token, err)
			}
			p.expectCalls(t, exchangeCall, exchangeCall)
		})
	}
}

func TestStateIsForOneCode(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	for _, tt := range []struct{ when, code, state, want string }{
		{"the first", "code1", "state1", ""},
		{"another code", "code2", "state1", "STATE_USED"},
		{"the same again", "code1", "state1", ""},
		{"the other code with a state of its own", "code2", "state2", ""},
		{"no state", "code3", "", ""},
		{"no state again", "code4", "", ""},
		{"the first code with another state", "code1", "state3", "CODE_USED"},
		{"that state with another code", "code5", "state3", "STATE_USED"},
	} {
		_, err := f.exchange(t.Context(), "", tt.code, tt.state)
		if got := seen(t, err); got.Reason != tt.want {
			t.Errorf("%s: %q; want %q", tt.when, got.Reason, tt.want)
		}
	}
	p.expectCalls(t, exchangeCall, exchangeCall, exchangeCall, exchangeCall)
}

// TestFindingsCodeIsForOneState: who gets hold of a code that a login brought gets nothing for it, whatever state comes with it,
// also while the code is exchanged; the login itself gets it again.
func TestFindingsCodeIsForOneState(t *testing.T) {
	p := newPlatform()
	arrived, release := make(chan struct{}), make(chan struct{})
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // a second call would panic
		<-release
		p.ServeHTTP(w, r)
	})
	var all sync.WaitGroup
	owner := func() {
		if token, err := f.exchange(t.Context(), "", testCode, "owner"); err != nil || token != testToken {
			t.Errorf("the login: %q, %v; want the token", token, err)
		}
	}
	thieves := func() {
		for _, state := range []string{"thief", ""} {
			all.Go(func() {
				_, err := f.exchange(t.Context(), "", testCode, state)
				expect(t, err, codes.InvalidArgument, "CODE_USED")
			})
		}
	}
	all.Go(owner)
	<-arrived
	thieves()
	close(release)
	all.Wait()
	thieves()
	all.Wait()
	owner()
	p.expectCalls(t, exchangeCall)
}

func TestAccountsAreApart(t *testing.T) {
	p := newPlatform()
	p.says(exchangeCall, p.answers[exchangeCall][0], `{"access_token":"club","expires_in":7200,"refresh_token":"r","openid":"o"}`)
	path := accountsFile(t, "", shopEntry, clubEntry)
	f := p.serveWith(t, func(cfg *Config) { cfg.Accounts = accounts.Source{File: path} })
	for _, tt := range []struct{ account, want string }{{"shop", testToken}, {"club", "club"}, {"shop", testToken}, {"club", "club"}} {
		if token, err := f.exchange(t.Context(), tt.account, "code", "state"); err != nil || token != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.account, token, err, tt.want)
		}
	}
	p.expectCalls(t, exchangeCall, exchangeCall)
	if _, err := f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{Account: "club", Openid: testOpenID}); seen(t, err).Reason != "LOGIN_REQUIRED" {
		t.Errorf("the shop's user at the club: %v; want LOGIN_REQUIRED", err)
	}
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPanicInACall(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	works := f.server.api.HTTP.Transport
	f.server.api.HTTP.Transport = roundTrip(func(*http.Request) (*http.Response, error) { panic(testCode) })
	expect(t, f.do(t.Context(), exchangeCall), codes.Internal, "INTERNAL")
	f.server.api.HTTP.Transport = works
	if err := f.do(t.Context(), exchangeCall); err != nil {
		t.Errorf("after a panic: %v; want the token", err)
	}
}

// TestStopEndsWhatRuns: a call does not outlive the service after its caller left.
func TestStopEndsWhatRuns(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		hangs(w, r)
		close(ended)
	})
	f.server.api.Timeout = time.Hour
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- f.do(ctx, exchangeCall) }()
	<-arrived
	leave()
	expect(t, <-gone, codes.Canceled, "")
	f.stop()
	<-ended
}
