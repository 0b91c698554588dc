package oauthsvc

import (
	"context"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	oauthv1 "wxgate/proto/oauth/v1"
)

// withdrawal returns when the test's user withdrew.
func (f *fixture) withdrawal(t *testing.T) time.Time {
	t.Helper()
	got, err := f.GetWithdrawal(t.Context(), &oauthv1.GetWithdrawalRequest{Openid: testOpenID})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetWithdrawTime() == nil {
		return time.Time{}
	}
	return got.GetWithdrawTime().AsTime()
}

// TestFindingsWithdrawalEndsExchange: after a user withdrew nobody gets the token of before, also with the login's own code and
// state, and gateways can ask since when.
func TestFindingsWithdrawalEndsExchange(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	if _, err := f.exchange(t.Context(), "", testCode, testState); err != nil {
		t.Fatal(err)
	}
	if at := f.withdrawal(t); !at.IsZero() {
		t.Errorf("withdrew at %s; want never", at)
	}
	begin := time.Now().Truncate(time.Microsecond)
	if err := f.forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := f.withdrawal(t); at.Before(begin) || at.After(time.Now()) {
		t.Errorf("withdrew at %s; want after %s", at, begin)
	}
	for range 2 {
		_, err := f.exchange(t.Context(), "", testCode, testState)
		expect(t, err, codes.InvalidArgument, "CODE_USED")
	}
	expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
	p.expectCalls(t, exchangeCall)
	if _, err := f.exchange(t.Context(), "", "a new code", "anewstate"); err != nil {
		t.Errorf("a new login: %v", err)
	}
	if err := f.ofKept(t.Context()); err != nil {
		t.Errorf("after a new login: %v", err)
	}
	_, err := f.GetWithdrawal(t.Context(), &oauthv1.GetWithdrawalRequest{})
	expectField(t, err, "openid")
}

// TestFindingsWithdrawalDuringExchange: after a withdrawal during an exchange nothing of the user is kept.
func TestFindingsWithdrawalDuringExchange(t *testing.T) {
	p := newPlatform()
	var f *fixture
	f = start(t, func(w http.ResponseWriter, r *http.Request) {
		if call(r.URL.Path) == exchangeCall {
			if err := f.forget(context.WithoutCancel(r.Context())); err != nil {
				t.Error(err)
			}
		}
		p.ServeHTTP(w, r)
	})
	_, err := f.exchange(t.Context(), "", testCode, testState)
	expect(t, err, codes.InvalidArgument, "CODE_USED")
	expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
}

// TestFindingsWithdrawalReachesReplicas: all replicas of a store know of a withdrawal, and none gives out a kept exchange.
func TestFindingsWithdrawalReachesReplicas(t *testing.T) {
	p := newPlatform()
	all := p.replicas(t)
	if _, err := all[0].exchange(t.Context(), "", testCode, testState); err != nil {
		t.Fatal(err)
	}
	if err := all[1].forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, f := range all {
		if f.withdrawal(t).IsZero() {
			t.Errorf("replica %d does not know", i)
		}
		_, err := f.exchange(t.Context(), "", testCode, testState)
		expect(t, err, codes.InvalidArgument, "CODE_USED")
		expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
	}
	p.expectCalls(t, exchangeCall)
}
