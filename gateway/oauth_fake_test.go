package gateway

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// fakeOAuth is an oauthsvc that the test plays: every call is good unless fails says otherwise.
type fakeOAuth struct {
	oauthv1.UnimplementedOAuthServiceServer
	oauthv1.UnimplementedAccountServiceServer
	mu     sync.Mutex
	fails  map[string]error      // by method
	forget func(context.Context) // what ForgetUser does besides; nil: nothing
	calls  []proto.Message
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

func (o *fakeOAuth) GetAuthorizeUrl(_ context.Context, r *oauthv1.GetAuthorizeUrlRequest) (*oauthv1.GetAuthorizeUrlResponse, error) {
	q := url.Values{"redirect_uri": {r.GetRedirectUri()}, "scope": {r.GetScope()}, "state": {r.GetState()}}
	return &oauthv1.GetAuthorizeUrlResponse{Url: openPage + "?" + q.Encode() + "#wechat_redirect"}, o.note("GetAuthorizeUrl", r)
}

func (o *fakeOAuth) ExchangeCode(_ context.Context, r *oauthv1.ExchangeCodeRequest) (*oauthv1.ExchangeCodeResponse, error) {
	token := &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_base"}
	return &oauthv1.ExchangeCodeResponse{Token: token}, o.note("ExchangeCode", r)
}

func (o *fakeOAuth) GetUserInfo(_ context.Context, r *oauthv1.GetUserInfoRequest) (*oauthv1.GetUserInfoResponse, error) {
	return &oauthv1.GetUserInfoResponse{User: &oauthv1.UserInfo{Openid: testUser}}, o.note("GetUserInfo", r)
}

func (o *fakeOAuth) ForgetUser(ctx context.Context, r *oauthv1.ForgetUserRequest) (*oauthv1.ForgetUserResponse, error) {
	err := o.note("ForgetUser", r)
	if o.forget != nil {
		o.forget(ctx)
	}
	return &oauthv1.ForgetUserResponse{}, err
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

// startOAuth runs a gateway with an oauthsvc that the test plays.
func startOAuth(t testing.TB, change func(*Config)) (*fixture, *fakeOAuth) {
	t.Helper()
	fake := &fakeOAuth{fails: map[string]error{}}
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
		cfg.OAuth.Addr = g.Addr().String()
		if change != nil {
			change(cfg)
		}
	}), fake
}
