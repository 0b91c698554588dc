package login

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
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
	mu       sync.Mutex
	fails    map[string]error // by method
	token    *oauthv1.Token
	profile  *oauthv1.UserInfo
	states   map[string]string // of each state, its code; a second code is refused as oauthsvc does
	withdrew time.Time         // when all users did; zero: never
	calls    []proto.Message
}

const openPage = "https://open.weixin.qq.com/connect/oauth2/authorize"

// listen serves the fake and returns its address.
func (o *fakeOAuth) listen(t testing.TB) string {
	t.Helper()
	g, err := service.ListenGRPC(service.NewEnv(slog.New(slog.DiscardHandler)), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	oauthv1.RegisterOAuthServiceServer(g.Server, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("oauthsvc's Serve: %v", err)
		}
	})
	return g.Addr().String()
}

// dialOAuth returns a client of the oauthsvc at an address.
func dialOAuth(t testing.TB, addr string) oauthv1.OAuthServiceClient {
	t.Helper()
	conn, err := service.Connect(service.NewEnv(slog.New(slog.DiscardHandler)), "oauth", service.Target{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return oauthv1.NewOAuthServiceClient(conn)
}

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
		return nil, &service.RPCError{Code: codes.PermissionDenied, Reason: "STATE_USED", Message: "confide"}
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

// GetWithdrawal is asked with each session, so that it is no call of made.
func (o *fakeOAuth) GetWithdrawal(context.Context, *oauthv1.GetWithdrawalRequest) (*oauthv1.GetWithdrawalResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails["GetWithdrawal"]; err != nil || o.withdrew.IsZero() {
		return &oauthv1.GetWithdrawalResponse{}, err
	}
	return &oauthv1.GetWithdrawalResponse{WithdrawTime: timestamppb.New(o.withdrew)}, nil
}

func testProfile() *oauthv1.UserInfo {
	return &oauthv1.UserInfo{Openid: testUser, Nickname: "confide 小明 <b>😀", Unionid: "u", Privilege: []string{"chinaunicom"}}
}
