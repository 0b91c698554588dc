package oauthsvc

import (
	"crypto/rand"
	"crypto/sha1" // WeChat's choice: the protocol has no other
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// signJsapi signs a page for wx.config.
func signJsapi(appID, ticket, page string) *oauthv1.SignJsapiResponse {
	now, nonce := time.Now().Unix(), rand.Text()
	return &oauthv1.SignJsapiResponse{AppId: appID, Timestamp: now, NonceStr: nonce, Signature: jsapiSignature(ticket, nonce, now, page)}
}

// jsapiSignature is platform.md F.4.
func jsapiSignature(ticket, nonce string, timestamp int64, page string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "jsapi_ticket=%s&noncestr=%s&timestamp=%d&url=%s", ticket, nonce, timestamp, page))
	return hex.EncodeToString(sum[:])
}

// jsapiPage returns a page's URL in the form that WeChat signs: location.href without the fragment (platform.md F.4). It
// changes a URL as browsers do: no spaces around it, scheme and host in lower case, no default port, and a path. Path and query
// stay unchanged, even if they cannot be unescaped: browsers accept a path such as /100%.
func jsapiPage(page string) (string, error) {
	page, _, _ = strings.Cut(strings.TrimSpace(page), "#")
	scheme, rest, _ := strings.Cut(page, "://")
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?\\"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || !wechatapi.IsWebURL(u) || strings.HasPrefix(path, "\\") {
		return "", wechatapi.InvalidRequest("url: expected the page's URL as the browser has it, such as https://wx.example.com/page?a=1")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), defaultPort), ":")
	return u.Scheme + "://" + host + path, nil
}
