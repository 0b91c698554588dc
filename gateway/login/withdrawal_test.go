package login

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// TestFindingsWithdrawalEndsSessions: the sessions of a user who withdrew are over, those of a login after that are good, and a
// failure to ask ends none.
func TestFindingsWithdrawalEndsSessions(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop")
	held := cookieOf(f.visit(t, b.back(testCode), b.cookie), sessionCookie)
	withdraw := func() {
		fake.mu.Lock()
		defer fake.mu.Unlock()
		fake.withdrew = time.Now()
	}
	if openid, _ := f.whoIs(t, "", held); openid != testUser {
		t.Errorf("before: %q", openid)
	}
	withdraw()
	for _, query := range []string{"", "?account=plain"} {
		if openid, _ := f.whoIs(t, query, held); openid != "" {
			t.Errorf("%q: %q is logged in after withdrawing", query, openid)
		}
	}
	if got := f.page(t, held); got.Status != 401 {
		t.Errorf("page: %d, want 401", got.Status)
	}
	f.again(t, b.back(testCode), held)
	for _, err := range []error{errors.New("confide"), context.DeadlineExceeded} {
		fake.will("GetWithdrawal", err)
		if openid, _ := f.whoIs(t, "", held); openid != testUser {
			t.Errorf("%v: %q, want the session to go on", err, openid)
		}
	}
	fake.will("GetWithdrawal", nil)
	if openid, _ := f.whoIs(t, "", f.session(t)); openid != testUser {
		t.Errorf("after a new login: %q", openid)
	}
	// A silent login after the withdrawal does not bring back the profile of before.
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_base"}
	b = f.login(t, "?scope=snsapi_base")
	got := f.visit(t, userinfoPath, cookieOf(f.visit(t, b.back(testCode), b.cookie, held), sessionCookie))
	if got.Status != 200 || strings.Contains(got.Body, testProfile().GetUnionid()+`"`) || strings.Contains(got.Body, "小明") {
		t.Errorf("%d %s; want no profile", got.Status, got.Body)
	}
	// Who withdraws while the code is exchanged is not logged in.
	b = f.login(t, "")
	fake.mu.Lock()
	fake.withdrew = time.Now().Add(time.Second)
	fake.mu.Unlock()
	if openid, _ := f.whoIs(t, "", cookieOf(f.visit(t, b.back(testCode), b.cookie), sessionCookie)); openid != "" {
		t.Errorf("withdrew during the login: %q", openid)
	}
}
