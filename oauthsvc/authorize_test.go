package oauthsvc

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	oauthv1 "wxgate/proto/oauth/v1"
)

func TestGetAuthorizeUrl(t *testing.T) {
	f := start(t, http.NotFound)
	const page = "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + testAppID
	for name, tt := range map[string]struct {
		req  *oauthv1.GetAuthorizeUrlRequest
		want string
	}{
		"all": {
			&oauthv1.GetAuthorizeUrlRequest{Account: "default", RedirectUri: "https://wx.example.com/oauth/callback?a=b&c=d e", Scope: "snsapi_userinfo", State: "Abc123"},
			page + "&redirect_uri=https%3A%2F%2Fwx.example.com%2Foauth%2Fcallback%3Fa%3Db%26c%3Dd+e&response_type=code&scope=snsapi_userinfo&state=Abc123#wechat_redirect",
		},
		"defaults": {
			&oauthv1.GetAuthorizeUrlRequest{RedirectUri: "http://127.0.0.1:8000/oauth/callback"},
			page + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Foauth%2Fcallback&response_type=code&scope=snsapi_base#wechat_redirect",
		},
		"longest state": {
			&oauthv1.GetAuthorizeUrlRequest{RedirectUri: "https://a.cn", Scope: "snsapi_base", State: strings.Repeat("z", 128)},
			page + "&redirect_uri=https%3A%2F%2Fa.cn&response_type=code&scope=snsapi_base&state=" + strings.Repeat("z", 128) + "#wechat_redirect",
		},
		"asked again": {
			&oauthv1.GetAuthorizeUrlRequest{RedirectUri: "https://a.cn", State: "s", ForcePopup: true},
			page + "&redirect_uri=https%3A%2F%2Fa.cn&response_type=code&scope=snsapi_base&state=s&forcePopup=true#wechat_redirect",
		},
		"snapshot page": {
			&oauthv1.GetAuthorizeUrlRequest{RedirectUri: "https://a.cn", Scope: "snsapi_userinfo", State: "s", ForceSnapshot: true},
			page + "&redirect_uri=https%3A%2F%2Fa.cn&response_type=code&scope=snsapi_userinfo&state=s&forceSnapShot=true#wechat_redirect",
		},
		"both, no state": {
			&oauthv1.GetAuthorizeUrlRequest{RedirectUri: "https://a.cn", ForcePopup: true, ForceSnapshot: true},
			page + "&redirect_uri=https%3A%2F%2Fa.cn&response_type=code&scope=snsapi_base&forcePopup=true&forceSnapShot=true#wechat_redirect",
		},
		"QR code of a website": {
			&oauthv1.GetAuthorizeUrlRequest{RedirectUri: "https://a.cn", Scope: "snsapi_login", State: "s"},
			"https://open.weixin.qq.com/connect/qrconnect?appid=" + testAppID + "&redirect_uri=https%3A%2F%2Fa.cn&response_type=code&scope=snsapi_login&state=s#wechat_redirect",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.GetAuthorizeUrl(t.Context(), tt.req)
			if err != nil || got.GetUrl() != tt.want {
				t.Errorf("GetAuthorizeUrl: %q, %v; want\n%q", got.GetUrl(), err, tt.want)
			}
		})
	}
}

func TestGetAuthorizeUrlRefuses(t *testing.T) {
	f := start(t, http.NotFound)
	const good = "https://wx.example.com/cb"
	for name, tt := range map[string]struct {
		redirectURI, scope, state string
		field                     string
	}{
		"no redirect_uri":        {"", "", "", "redirect_uri"},
		"relative":               {"/oauth/callback", "", "", "redirect_uri"},
		"without scheme":         {"//wx.example.com/cb", "", "", "redirect_uri"},
		"javascript":             {"javascript:alert(1)", "", "", "redirect_uri"},
		"without host":           {"https:///cb", "", "", "redirect_uri"},
		"with a user":            {"https://u@wx.example.com/cb", "", "", "redirect_uri"},
		"with a fragment":        {good + "#top", "", "", "redirect_uri"},
		"with an empty fragment": {good + "#", "", "", "redirect_uri"},
		"with a newline":         {good + "\r\nX: y", "", "", "redirect_uri"},
		"too long":               {good + strings.Repeat("a", 2048), "", "", "redirect_uri"},
		"another scope":          {good, "snsapi_privateinfo", "", "scope"},
		"two scopes":             {good, "snsapi_base,snsapi_userinfo", "", "scope"},
		"state with a dash":      {good, "", "a-b", "state"},
		"state with a newline":   {good, "", "ab\n", "state"},
		"state too long":         {good, "", strings.Repeat("z", 129), "state"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.GetAuthorizeUrl(t.Context(), &oauthv1.GetAuthorizeUrlRequest{RedirectUri: tt.redirectURI, Scope: tt.scope, State: tt.state})
			expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
			expectField(t, err, tt.field)
		})
	}
}
