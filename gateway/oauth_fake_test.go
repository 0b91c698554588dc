package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// fakeOAuth is an oauthsvc that the test plays: every code is good unless fails says otherwise.
type fakeOAuth struct {
	oauthv1.UnimplementedOAuthServiceServer
	oauthv1.UnimplementedAccountServiceServer
	mu       sync.Mutex
	fails    map[string]error // by method
	token    *oauthv1.Token
	profile  *oauthv1.UserInfo
	states   map[string]string     // of each state, its code; a second code is refused as oauthsvc does
	withdrew time.Time             // when all users did; zero: never
	forget   func(context.Context) // what ForgetUser does besides; nil: nothing
	calls    []proto.Message
}

const openPage = "https://open.weixin.qq.com/connect/oauth2/authorize"

// note remembers a call and returns how it fails.
func (o *fakeOAuth) note(method string, req proto.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, req)
	return o.fails[method]
}

// will sets how a method fails; nil: not.
func (o *fakeOAuth) will(method string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails[method] = err
}

// made returns the calls so far.
func (o *fakeOAuth) made() []proto.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.calls)
}

// neverAskedForProfile fails where GetUserInfo was called.
func (o *fakeOAuth) neverAskedForProfile(t testing.TB) {
	t.Helper()
	for _, call := range o.made() {
		if _, asked := call.(*oauthv1.GetUserInfoRequest); asked {
			t.Error("the profile was asked for")
		}
	}
}

func (o *fakeOAuth) GetAuthorizeUrl(_ context.Context, r *oauthv1.GetAuthorizeUrlRequest) (*oauthv1.GetAuthorizeUrlResponse, error) {
	q := url.Values{"redirect_uri": {r.GetRedirectUri()}, "scope": {r.GetScope()}, "state": {r.GetState()}}
	return &oauthv1.GetAuthorizeUrlResponse{Url: openPage + "?" + q.Encode() + "#wechat_redirect"}, o.note("GetAuthorizeUrl", r)
}

func (o *fakeOAuth) ExchangeCode(_ context.Context, r *oauthv1.ExchangeCodeRequest) (*oauthv1.ExchangeCodeResponse, error) {
	if err := o.note("ExchangeCode", r); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if code, known := o.states[r.GetState()]; known && code != r.GetCode() {
		return nil, service.NewError(codes.PermissionDenied, "STATE_USED", "confide", nil, nil)
	}
	o.states[r.GetState()] = r.GetCode()
	return &oauthv1.ExchangeCodeResponse{Token: o.token}, nil
}

func (o *fakeOAuth) GetUserInfo(_ context.Context, r *oauthv1.GetUserInfoRequest) (*oauthv1.GetUserInfoResponse, error) {
	if err := o.note("GetUserInfo", r); err != nil {
		return nil, err
	}
	return &oauthv1.GetUserInfoResponse{User: o.profile}, nil
}

func (o *fakeOAuth) ForgetUser(ctx context.Context, r *oauthv1.ForgetUserRequest) (*oauthv1.ForgetUserResponse, error) {
	err := o.note("ForgetUser", r)
	if o.forget != nil {
		o.forget(ctx)
	}
	return &oauthv1.ForgetUserResponse{}, err
}

// GetWithdrawal is asked with each session, so that it is no call of made.
func (o *fakeOAuth) GetWithdrawal(context.Context, *oauthv1.GetWithdrawalRequest) (*oauthv1.GetWithdrawalResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails["GetWithdrawal"]; err != nil || o.withdrew.IsZero() {
		return &oauthv1.GetWithdrawalResponse{}, err
	}
	return &oauthv1.GetWithdrawalResponse{WithdrawTime: timestamppb.New(o.withdrew)}, nil
}

func (o *fakeOAuth) GetAccessToken(_ context.Context, r *oauthv1.GetAccessTokenRequest) (*oauthv1.GetAccessTokenResponse, error) {
	return &oauthv1.GetAccessTokenResponse{AccessToken: testAccess, ExpireTime: &timestamppb.Timestamp{Seconds: 1767225600}}, o.note("GetAccessToken", r)
}

func (o *fakeOAuth) SignJsapi(_ context.Context, r *oauthv1.SignJsapiRequest) (*oauthv1.SignJsapiResponse, error) {
	return &oauthv1.SignJsapiResponse{AppId: testAppID, Timestamp: 1767225600, NonceStr: "n", Signature: "s"}, o.note("SignJsapi", r)
}

func (o *fakeOAuth) SendCustomMessage(_ context.Context, r *oauthv1.SendCustomMessageRequest) (*oauthv1.SendCustomMessageResponse, error) {
	return &oauthv1.SendCustomMessageResponse{}, o.note("SendCustomMessage", r)
}

func (o *fakeOAuth) CheckCustomMessage(_ context.Context, r *oauthv1.CheckCustomMessageRequest) (*oauthv1.CheckCustomMessageResponse, error) {
	return &oauthv1.CheckCustomMessageResponse{}, o.note("CheckCustomMessage", r)
}

func (o *fakeOAuth) SetTyping(_ context.Context, r *oauthv1.SetTypingRequest) (*oauthv1.SetTypingResponse, error) {
	return &oauthv1.SetTypingResponse{}, o.note("SetTyping", r)
}

func (o *fakeOAuth) ListCallbackIps(_ context.Context, r *oauthv1.ListCallbackIpsRequest) (*oauthv1.ListCallbackIpsResponse, error) {
	return &oauthv1.ListCallbackIpsResponse{Ips: []string{"101.226.103.0/25"}}, o.note("ListCallbackIps", r)
}

func (o *fakeOAuth) GetQuota(_ context.Context, r *oauthv1.GetQuotaRequest) (*oauthv1.GetQuotaResponse, error) {
	return &oauthv1.GetQuotaResponse{DailyLimit: 10, Used: 3, Remain: 7}, o.note("GetQuota", r)
}

func testProfile() *oauthv1.UserInfo {
	return &oauthv1.UserInfo{Openid: testUser, Nickname: "confide 小明 <b>😀", Unionid: "u", Privilege: []string{"chinaunicom"}}
}

// startOAuth runs a gateway with an oauthsvc that the test plays.
func startOAuth(t testing.TB, change func(*Config)) (*fixture, *fakeOAuth) {
	t.Helper()
	fake := &fakeOAuth{fails: map[string]error{}, states: map[string]string{}, profile: testProfile(),
		token: &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_userinfo"}}
	g, err := service.ListenGRPC(service.NewEnv(slog.New(slog.DiscardHandler)), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	oauthv1.RegisterOAuthServiceServer(g.Server, fake)
	oauthv1.RegisterAccountServiceServer(g.Server, fake)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("oauthsvc's Serve: %v", err)
		}
	})
	return start(t, func(cfg *Config) {
		cfg.OAuth = g.Addr().String()
		cfg.ReturnHosts = []string{"www.good.example", "good.example:8443"}
		if change != nil {
			change(cfg)
		}
	}), fake
}

// visit is a browser's GET of one of our paths.
func (f *fixture) visit(t testing.TB, path string, cookies ...*http.Cookie) answer {
	t.Helper()
	return f.do(t, "GET", f.public+path, nil, func(r *http.Request) {
		for _, c := range cookies {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	})
}

// cookieOf returns the cookie that an answer sets whose name begins so, without the prefix that browsers know; nil: none.
func cookieOf(got answer, name string) *http.Cookie {
	for _, c := range got.Cookies {
		if strings.HasPrefix(strings.TrimPrefix(c.Name, hostPrefix), name) && c.MaxAge >= 0 {
			return c
		}
	}
	return nil
}

// fails is a browser's visit of a callback that fails, and of the page that says so: its address has neither code nor state.
func (f *fixture) fails(t testing.TB, path string, cookies ...*http.Cookie) answer {
	t.Helper()
	got := f.visit(t, path, cookies...)
	to := got.Header.Get("Location")
	if got.Status == 403 {
		to = strings.TrimPrefix(got.Header.Get("Refresh"), "0; url=")
	}
	if got.Status != 403 && got.Status != 302 || len(got.Cookies) != 0 ||
		!strings.HasPrefix(to, failedPath+"?reason=") || strings.Contains(to, "code=") || strings.Contains(to, "state=") {
		t.Fatalf("%d to %q, cookies %v; want to go on to %s", got.Status, to, got.Cookies, failedPath)
	}
	page := f.visit(t, to, cookies...)
	if got.Status == 403 && (page.Status != 403 || page.Body != got.Body) {
		t.Errorf("the callback says %d %s, then %d %s", got.Status, got.Body, page.Status, page.Body)
	}
	return page
}

// begun is a login that WeChat may now end.
type begun struct {
	redirect *url.URL // redirect_uri
	state    string
	scope    string
	cookie   *http.Cookie
}

// login begins a login with a query of /oauth/login.
func (f *fixture) login(t testing.TB, query string) begun {
	t.Helper()
	got := f.visit(t, loginPath+query)
	to, err := url.Parse(got.Header.Get("Location"))
	if got.Status != 302 || err != nil || !strings.HasPrefix(to.String(), openPage+"?") || cookieOf(got, loginCookie+"_") == nil {
		t.Fatalf("login: %d to %q (%v), cookies %v", got.Status, to, err, got.Cookies)
	}
	redirect, err := url.Parse(to.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	return begun{redirect, to.Query().Get("state"), to.Query().Get("scope"), cookieOf(got, loginCookie+"_")}
}

// back returns where WeChat sends the browser, with a code unless it is "".
func (b begun) back(code string) string {
	q := b.redirect.Query()
	if code != "" {
		q.Set("code", code)
	}
	q.Set("state", b.state)
	return b.redirect.Path + "?" + q.Encode()
}

// session logs in and returns the session's cookie.
func (f *fixture) session(t testing.TB) *http.Cookie {
	t.Helper()
	b := f.login(t, "")
	got := f.visit(t, b.back(testCode), b.cookie)
	if got.Status != 302 || cookieOf(got, sessionCookie) == nil {
		t.Fatalf("callback: %d %s", got.Status, got.Body)
	}
	return cookieOf(got, sessionCookie)
}
