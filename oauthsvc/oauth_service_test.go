package oauthsvc

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	oauthv1 "wxgate/proto/oauth/v1"
)

// expectField checks that a message begins with the field's name, so that the caller knows what to fix.
func expectField(t *testing.T, err error, field string) {
	t.Helper()
	if message := status.Convert(err).Message(); !strings.HasPrefix(message, field+": ") {
		t.Errorf("message %q; want one that names %s", message, field)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sample string
		do     func(*fixture) (proto.Message, error)
		path   string
		query  url.Values
		want   proto.Message
	}{
		"exchange, base": {
			"sns.access_token.base.json",
			func(f *fixture) (proto.Message, error) {
				return f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: "c+d&e=f", State: "s1"})
			},
			"/sns/oauth2/access_token",
			url.Values{"appid": {testAppID}, "secret": {testSecret}, "code": {"c+d&e=f"}, "grant_type": {"authorization_code"}},
			&oauthv1.ExchangeCodeResponse{Token: &oauthv1.Token{AccessToken: testToken, ExpiresIn: 7200, RefreshToken: testFresh,
				Openid: testOpenID, Scope: "snsapi_base"}},
		},
		"exchange, userinfo": {
			"sns.access_token.userinfo.json",
			func(f *fixture) (proto.Message, error) {
				return f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Account: "default", Code: "c"})
			},
			"/sns/oauth2/access_token",
			url.Values{"appid": {testAppID}, "secret": {testSecret}, "code": {"c"}, "grant_type": {"authorization_code"}},
			&oauthv1.ExchangeCodeResponse{Token: &oauthv1.Token{AccessToken: testToken, ExpiresIn: 7200, RefreshToken: testFresh,
				Openid: testOpenID, Scope: "snsapi_userinfo", Unionid: "uUnion00000000000000000001"}},
		},
		"exchange, snapshot page": {
			"sns.access_token.snapshot.json",
			func(f *fixture) (proto.Message, error) {
				return f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: "c"})
			},
			"/sns/oauth2/access_token",
			url.Values{"appid": {testAppID}, "secret": {testSecret}, "code": {"c"}, "grant_type": {"authorization_code"}},
			&oauthv1.ExchangeCodeResponse{Token: &oauthv1.Token{AccessToken: testToken, ExpiresIn: 7200, RefreshToken: testFresh,
				Openid: "oVirtual000000000000000001", Scope: "snsapi_userinfo", IsSnapshotuser: 1, Unionid: "uVirtual000000000000000001"}},
		},
		"refresh": {
			"sns.refresh_token.json",
			func(f *fixture) (proto.Message, error) {
				return f.RefreshToken(t.Context(), &oauthv1.RefreshTokenRequest{RefreshToken: "r"})
			},
			"/sns/oauth2/refresh_token",
			url.Values{"appid": {testAppID}, "grant_type": {"refresh_token"}, "refresh_token": {"r"}},
			&oauthv1.RefreshTokenResponse{Token: &oauthv1.Token{AccessToken: "57_sampleWebAccessToken2", ExpiresIn: 7200,
				RefreshToken: testFresh, Openid: testOpenID, Scope: "snsapi_base,snsapi_userinfo"}},
		},
		"user info": {
			"sns.userinfo.json",
			func(f *fixture) (proto.Message, error) {
				return f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{AccessToken: "a", Openid: testOpenID, Lang: "en"})
			},
			"/sns/userinfo",
			url.Values{"access_token": {"a"}, "openid": {testOpenID}, "lang": {"en"}},
			&oauthv1.GetUserInfoResponse{User: &oauthv1.UserInfo{Openid: testOpenID, Nickname: "示例😀",
				Headimgurl: "https://thirdwx.qlogo.cn/mmopen/vi_32/sample/132", Unionid: "uUnion00000000000000000001"}},
		},
		"user info of before 2021": {
			"sns.userinfo.legacy.json",
			func(f *fixture) (proto.Message, error) {
				return f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{AccessToken: "a", Openid: testOpenID})
			},
			"/sns/userinfo",
			url.Values{"access_token": {"a"}, "openid": {testOpenID}, "lang": {"zh_CN"}},
			&oauthv1.GetUserInfoResponse{User: &oauthv1.UserInfo{Openid: testOpenID, Nickname: "示例", Sex: 1,
				Province: "上海", City: "黄浦", Country: "中国", Privilege: []string{"chinaunicom"}}},
		},
		"check": {
			"sns.auth.ok.json",
			func(f *fixture) (proto.Message, error) {
				return f.CheckToken(t.Context(), &oauthv1.CheckTokenRequest{AccessToken: "a", Openid: "o"})
			},
			"/sns/auth",
			url.Values{"access_token": {"a"}, "openid": {"o"}},
			&oauthv1.CheckTokenResponse{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := sample(t, tt.sample)
			f := start(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != tt.path {
					t.Errorf("asked %s %s; want GET %s", r.Method, r.URL.Path, tt.path)
				}
				if diff := cmp.Diff(tt.query, r.URL.Query()); diff != "" {
					t.Errorf("query (-want +got):\n%s", diff)
				}
				says(answer)(w, r)
			})
			got, err := tt.do(f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestChecks(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	f := start(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	long := strings.Repeat("x", 1025)
	exchange := func(code, state string) error {
		_, err := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: code, State: state})
		return err
	}
	refresh := func(token string) error {
		_, err := f.RefreshToken(t.Context(), &oauthv1.RefreshTokenRequest{RefreshToken: token})
		return err
	}
	userInfo := func(token, openid, lang string) error {
		_, err := f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{AccessToken: token, Openid: openid, Lang: lang})
		return err
	}
	check := func(token, openid string) error {
		_, err := f.CheckToken(t.Context(), &oauthv1.CheckTokenRequest{AccessToken: token, Openid: openid})
		return err
	}
	for name, tt := range map[string]struct {
		err   error
		field string
	}{
		"exchange without code":         {exchange("", ""), "code"},
		"exchange with a long code":     {exchange(long, ""), "code"},
		"exchange with a bad state":     {exchange("c", "a b"), "state"},
		"exchange with a long state":    {exchange("c", strings.Repeat("s", 129)), "state"},
		"refresh without token":         {refresh(""), "refresh_token"},
		"refresh with a long token":     {refresh(long), "refresh_token"},
		"user info with a long token":   {userInfo(long, "o", ""), "access_token"},
		"user info without openid":      {userInfo("a", "", ""), "openid"},
		"user info with a long openid":  {userInfo("a", long, ""), "openid"},
		"user info in another language": {userInfo("a", "o", "de"), "lang"},
		"user info in an odd language":  {userInfo("a", "o", "zh_cn"), "lang"},
		"check without token":           {check("", "o"), "access_token"},
		"check with a long token":       {check(long, "o"), "access_token"},
		"check without openid":          {check("a", ""), "openid"},
		"check with a long openid":      {check("a", long), "openid"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, tt.err, codes.InvalidArgument, "INVALID_REQUEST")
			expectField(t, tt.err, tt.field)
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("WeChat was asked %d times; want none", n)
	}
}

func TestUnknownAccount(t *testing.T) {
	f := start(t, http.NotFound)
	_, authorize := f.GetAuthorizeUrl(t.Context(), &oauthv1.GetAuthorizeUrlRequest{Account: "shop", RedirectUri: "https://a.cn"})
	_, exchange := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Account: "shop", Code: "c"})
	_, refresh := f.RefreshToken(t.Context(), &oauthv1.RefreshTokenRequest{Account: "Default", RefreshToken: "r"})
	_, userInfo := f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{Account: " ", AccessToken: "a", Openid: "o"})
	_, check := f.CheckToken(t.Context(), &oauthv1.CheckTokenRequest{Account: "shop", AccessToken: "a", Openid: "o"})
	for _, err := range []error{authorize, exchange, refresh, userInfo, check} {
		expect(t, err, codes.NotFound, "UNKNOWN_ACCOUNT")
	}
}

func TestLogLine(t *testing.T) {
	f := start(t, says(sample(t, "error.42001.json")))
	expect(t, f.do(t.Context(), checkCall), codes.Unauthenticated, "TOKEN_EXPIRED")
	var line map[string]any
	for text := range strings.Lines(f.log.String()) {
		if !strings.Contains(text, `"msg":"rpc"`) {
			continue
		}
		if line != nil {
			t.Fatalf("more than one line for one call:\n%s", f.log)
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if took, ok := line["upstream_ms"].(float64); !ok || took <= 0 {
		t.Errorf("upstream_ms is %v; want how long the call took", line["upstream_ms"])
	}
	if peer, ok := line["peer"].(string); !ok || !strings.HasPrefix(peer, "127.0.0.1") {
		t.Errorf("peer is %v; want who called", line["peer"])
	}
	for _, varies := range []string{"time", "ms", "request_id", "upstream_ms", "peer"} {
		delete(line, varies)
	}
	want := map[string]any{"level": "WARN", "msg": "rpc", "method": "/oauth.v1.OAuthService/CheckToken", "code": "Unauthenticated",
		"account": "default", "user": "oGatew…", "errcode": "42001", "rid": "6a5c0f10-1b2c3d4e-5f607182"}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("log line (-want +got):\n%s", diff)
	}
}

// TestFindingsRefreshTokenStays: an answer without a refresh token leaves the caller the one that was sent.
func TestFindingsRefreshTokenStays(t *testing.T) {
	p := newPlatform()
	p.says(refreshCall, `{"access_token":"next","expires_in":7200,"openid":"`+testOpenID+`","scope":"snsapi_base"}`)
	f := p.serve(t)
	got, err := f.RefreshToken(t.Context(), &oauthv1.RefreshTokenRequest{RefreshToken: testFresh})
	if err != nil || got.GetToken().GetRefreshToken() != testFresh || got.GetToken().GetAccessToken() != "next" {
		t.Errorf("got %v, %v; want the next access token and the same refresh token", got, err)
	}
}
