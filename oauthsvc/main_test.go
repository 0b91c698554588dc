package oauthsvc

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store/storetest"
	oauthv1 "wxgate/proto/oauth/v1"
)

func TestMain(m *testing.M) { storetest.VerifyTestMain(m) }

// What must never show up anywhere but in WeChat's hands.
const (
	testAppID  = "wx0123456789abcdef"
	testSecret = "secretsecretsecretsecretsecret32"
	testCode   = "codecodecode021"
	testState  = "statestatestate"
	testToken  = "57_sampleWebAccessToken"
	testFresh  = "57_sampleRefreshToken"
	testOpenID = "oGateway0000000000000000001"

	testAccountToken = "77_sampleAccountToken"
	testTicket       = "sampleTicketsampleTicket"
	testText         = "what is said to the user"
)

// fixture is a service over a real connection, with a WeChat that the test plays.
type fixture struct {
	oauthv1.OAuthServiceClient
	oauthv1.AccountServiceClient
	server *Server
	env    service.Env
	log    *buffer
	stop   func() // ends the service

	mu    sync.Mutex
	waits []time.Duration // before calls that were made again
}

// start runs a service that calls wechat.
func start(t *testing.T, wechat http.HandlerFunc) *fixture {
	t.Helper()
	api := httptest.NewServer(wechat)
	t.Cleanup(api.Close)
	return startAt(t, api.URL)
}

// startAt runs a service that calls the API at apiURL.
func startAt(t *testing.T, apiURL string) *fixture {
	t.Helper()
	return startWith(t, func(cfg *Config) { cfg.APIURL = apiURL })
}

// testAccounts returns the only account of a service without an accounts file.
func testAccounts() accounts.Source {
	return accounts.Source{List: []accounts.Account{{Name: accounts.DefaultName, AppID: testAppID, AppSecret: testSecret}}}
}

// newServer completes the configuration, and opens a service with it.
func newServer(cfg Config) (*Server, error) {
	completed, err := cfg.Complete()
	if err != nil {
		return nil, err
	}
	return New(completed)
}

// startWith runs a service, configured by change.
func startWith(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{log: &buffer{}}
	f.env = service.NewEnv(slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	cfg := Config{Env: f.env, Listen: "127.0.0.1:0", Accounts: testAccounts(), OpenURL: "https://open.weixin.qq.com/"}
	change(&cfg)
	var err error
	f.server, err = newServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.server.api.Pause = func(ctx context.Context, wait time.Duration) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.waits = append(f.waits, wait)
		return ctx.Err() == nil
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(ctx) }()
	conn, err := grpc.NewClient(f.server.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	f.OAuthServiceClient, f.AccountServiceClient = oauthv1.NewOAuthServiceClient(conn), oauthv1.NewAccountServiceClient(conn)
	f.stop = sync.OnceFunc(func() {
		_ = conn.Close()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// do makes one of WeChat's calls with valid parameters.
func (f *fixture) do(ctx context.Context, c call) error {
	var err error
	switch c {
	case exchangeCall:
		_, err = f.ExchangeCode(ctx, &oauthv1.ExchangeCodeRequest{Code: testCode, State: testState})
	case refreshCall:
		_, err = f.RefreshToken(ctx, &oauthv1.RefreshTokenRequest{RefreshToken: testFresh})
	case userInfoCall:
		_, err = f.GetUserInfo(ctx, &oauthv1.GetUserInfoRequest{AccessToken: testToken, Openid: testOpenID})
	case checkCall:
		_, err = f.CheckToken(ctx, &oauthv1.CheckTokenRequest{AccessToken: testToken, Openid: testOpenID})
	case tokenCall:
		_, err = f.GetAccessToken(ctx, &oauthv1.GetAccessTokenRequest{})
	case ticketCall:
		_, err = f.SignJsapi(ctx, &oauthv1.SignJsapiRequest{Url: "https://wx.example.com/"})
	case sendCall:
		_, err = f.SendCustomMessage(ctx, &oauthv1.SendCustomMessageRequest{Openid: testOpenID,
			Message: &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Text{Text: testText}}})
	case typingCall:
		_, err = f.SetTyping(ctx, &oauthv1.SetTypingRequest{Openid: testOpenID, Typing: true})
	case callbackIPCall:
		_, err = f.ListCallbackIps(ctx, &oauthv1.ListCallbackIpsRequest{})
	case quotaCall:
		_, err = f.GetQuota(ctx, &oauthv1.GetQuotaRequest{CgiPath: "/cgi-bin/message/custom/send"})
	}
	return err
}

var (
	// snsCalls are made for a user, with the user's token or none.
	snsCalls = []call{exchangeCall, refreshCall, userInfoCall, checkCall}
	// accountCalls are made with the account's token.
	accountCalls = []call{ticketCall, sendCall, typingCall, callbackIPCall, quotaCall}
	allCalls     = append(append([]call{tokenCall}, snsCalls...), accountCalls...)
)

// keepToken lets the service have an account token already.
func (f *fixture) keepToken(t *testing.T, c accountCredential) {
	t.Helper()
	if err := f.server.tokens.put(t.Context(), f.account(t), "token", c); err != nil {
		t.Fatal(err)
	}
}

// account returns the service's only account.
func (f *fixture) account(t *testing.T) accounts.Account {
	t.Helper()
	a, err := f.server.findAccount("")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// never is a pause for calls that are not made again.
func never(context.Context, time.Duration) bool { return false }

// says answers as WeChat does: JSON as text/plain.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(body))
	}
}

// sample returns a recorded answer.
func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "internal", "wechat", "testdata", "samples", "json", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// refused is the part of an error that a caller sees.
type refused struct {
	Code   codes.Code
	Reason string
	Meta   map[string]string
}

// seen returns the part of err that the caller sees.
func seen(t *testing.T, err error) refused {
	t.Helper()
	st := status.Convert(err)
	r := refused{Code: st.Code()}
	for _, d := range st.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok || info.Domain != "wxgate" || len(st.Details()) != 1 {
			t.Errorf("details %v; want one ErrorInfo of domain wxgate", st.Details())
			continue
		}
		r.Reason, r.Meta = info.Reason, info.Metadata
	}
	return r
}

// expect checks code and reason of an error.
func expect(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	got := seen(t, err)
	got.Meta = nil
	if diff := cmp.Diff(refused{Code: code, Reason: reason}, got); diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
