package login

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	"wxgate/internal/testaddr"
	oauthv1 "wxgate/proto/oauth/v1"
)

// retryLink finds where a page lets the user try again.
var retryLink = regexp.MustCompile(`<a href="([^"]*)">`)

// retryOf returns the query of a page's link to the login.
func retryOf(t testing.TB, page string) url.Values {
	t.Helper()
	found := retryLink.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no link to try again: %s", page)
	}
	u, err := url.Parse(html.UnescapeString(found[1]))
	if err != nil || u.Host != "" || u.Path != loginPath {
		t.Fatalf("the link leads to %s (%v)", found[1], err)
	}
	return u.Query()
}

func TestUserDeclines(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop&account=safe")
	for _, path := range []string{b.back(""), b.back("") + "&code="} {
		got := f.fails(t, path, b.cookie)
		if q := retryOf(t, got.Body); got.Status != 400 || q.Get("return_to") != "/shop" || q.Get("account") != "safe" {
			t.Errorf("%d, try again with %v", got.Status, q)
		}
	}
	if n := len(fake.made()); n != 1 {
		t.Errorf("oauthsvc was asked %d times, want once", n)
	}
}

// failures says what the browser gets for each reason, with the code that oauthsvc gives it.
var failures = map[oauthv1.ErrorReason]struct {
	code   codes.Code
	status int
	says   string
}{
	oauthv1.ErrorReason_ERROR_REASON_UNSPECIFIED:          {codes.Unknown, 502, "cannot be reached"},
	oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST:      {codes.InvalidArgument, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT:      {codes.NotFound, 400, "has no login"},
	oauthv1.ErrorReason_ERROR_REASON_CODE_USED:            {codes.InvalidArgument, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID:         {codes.InvalidArgument, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED:         {codes.InvalidArgument, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_STATE_USED:           {codes.PermissionDenied, 403, "took too long"},
	oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED:        {codes.Unauthenticated, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID:        {codes.Unauthenticated, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED:       {codes.Unauthenticated, 400, "does not accept this login"},
	oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID:       {codes.InvalidArgument, 502, "not understood"},
	oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED:       {codes.PermissionDenied, 400, "did not allow"},
	oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED:      {codes.PermissionDenied, 400, "did not allow"},
	oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID:  {codes.FailedPrecondition, 502, "rejects this site"},
	oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED:       {codes.FailedPrecondition, 502, "rejects this site"},
	oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED:         {codes.ResourceExhausted, 502, "too often"},
	oauthv1.ErrorReason_ERROR_REASON_QUOTA_EXHAUSTED:      {codes.ResourceExhausted, 502, "too often"},
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE: {codes.Unavailable, 502, "cannot be reached"},
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:     {codes.DeadlineExceeded, 504, "took too long to answer"},
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR:       {codes.Unknown, 502, "not understood"},
	oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED:        {codes.FailedPrecondition, 502, "not understood"},
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT:        {codes.ResourceExhausted, 502, "not understood"},
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID:      {codes.InvalidArgument, 502, "not understood"},
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_UNKNOWN:      {codes.NotFound, 502, "not understood"},
	oauthv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE:    {codes.Unavailable, 503, "cannot log anybody in"},
}

// Each reason has its page: words, a link to try again, nothing of the error's text.
func TestFailurePages(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop")
	for number, name := range oauthv1.ErrorReason_name {
		reason := oauthv1.ErrorReason(number)
		want, known := failures[reason]
		if !known {
			t.Errorf("%s is not in the table", name)
		}
		err := error(&service.RPCError{Code: want.code, Reason: reason.Name(), Message: "confide " + testAccess, Metadata: map[string]string{"errcode": "40029", "rid": "r"}})
		for method, path := range map[string]string{"GetAuthorizeUrl": loginPath + "?return_to=/shop", "ExchangeCode": b.back(testCode), "GetUserInfo": b.back(testCode)} {
			t.Run(name+" of "+method, func(t *testing.T) {
				fake.will(method, err)
				defer fake.will(method, nil)
				visit := f.fails
				if path != b.back(testCode) {
					visit = f.visit
				}
				got := visit(t, path, b.cookie)
				if got.Status != want.status || !strings.Contains(got.Body, want.says) || len(got.Cookies) != 0 || strings.Contains(got.Body, "confide") || strings.Contains(got.Body, testAccess) {
					t.Errorf("%d, cookies %v, %s; want %d, %q", got.Status, got.Cookies, got.Body, want.status, want.says)
				}
				if q := retryOf(t, got.Body); q.Get("return_to") != "/shop" {
					t.Errorf("try again with %v", q)
				}
			})
		}
	}
}

// Errors without a reason come from elsewhere than WeChat.
func TestFailuresWithoutReason(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "")
	for want, errs := range map[int][]error{
		502: {errors.New("confide"), status.Error(codes.Unimplemented, "confide"), status.Error(codes.Unavailable, "confide")},
		504: {status.Error(codes.DeadlineExceeded, "confide")},
	} {
		for _, err := range errs {
			fake.will("ExchangeCode", err)
			if got := f.fails(t, b.back(testCode), b.cookie); got.Status != want || strings.Contains(got.Body, "confide") {
				t.Errorf("%v: %d %s; want %d", err, got.Status, got.Body, want)
			}
		}
	}
}

func TestOAuthServiceIsAway(t *testing.T) {
	f, _ := start(t, func(cfg *Config) { cfg.OAuth = dialOAuth(t, testaddr.Unused(t)) })
	state := newStateSigner([][]byte{[]byte(testSessionKey)}).makeState("plain", userinfoPath, time.Now())
	cookie := &http.Cookie{Name: loginCookieName(state), Value: state}
	for path, visit := range map[string]func(testing.TB, string, ...*http.Cookie) answer{
		loginPath: f.visit, callbackPath + "?code=" + testCode + "&state=" + state: f.fails,
	} {
		got := visit(t, path, cookie)
		if got.Status != 502 || retryOf(t, got.Body).Get("return_to") != userinfoPath {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

// A page shows no markup but its own, and loads nothing.
func TestPagesEscape(t *testing.T) {
	f, _ := start(t, nil)
	to := `/"><script>alert(1)</script>'`
	b := f.login(t, "?account=safe&return_to="+url.QueryEscape(to))
	got := f.fails(t, b.back(""), b.cookie)
	if got.Status != 400 || !strings.Contains(got.Body, "account=safe&amp;return_to=") || strings.Contains(got.Body, "<script") || strings.Contains(got.Body, "'") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if q := retryOf(t, got.Body); q.Get("return_to") != to {
		t.Errorf("try again with return_to %q, want %q", q.Get("return_to"), to)
	}
	if diff := cmp.Diff(policyOf(t, got.Body), got.Header.Get("Content-Security-Policy")); diff != "" {
		t.Errorf("Content-Security-Policy (-want +got):\n%s", diff)
	}
	if kind := got.Header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", kind)
	}
}

// What a failure's log line says: a reason of a fixed set.
func TestFailureReasonsAreLogged(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "")
	fake.will("ExchangeCode", &service.RPCError{Code: codes.InvalidArgument, Reason: "CODE_USED", Message: "confide"})
	f.fails(t, b.back(testCode), b.cookie)
	f.fails(t, callbackPath+"?code="+testCode+"&state=forged")
	f.fails(t, b.back(""))
	f.visit(t, failedPath+"?reason="+testCode)
	f.visit(t, loginPath+"?return_to=//evil.example")
	var got []string
	for _, line := range f.lines(t, "http")[1:] {
		reason, _ := line["reason"].(string)
		got = append(got, reason)
		if line["level"] != "WARN" && line["status"] != 302.0 {
			t.Errorf("line: %v", line)
		}
	}
	if want := "CODE_USED CODE_USED state_malformed state declined declined unknown return_to"; strings.Join(got, " ") != want {
		t.Errorf("reasons %v, want %s", got, want)
	}
}
