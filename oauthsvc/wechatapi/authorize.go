package wechatapi

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	oauthv1 "wxgate/proto/oauth/v1"
)

// maxRedirectURI is the longest redirect_uri, in bytes: escaped, it still fits into a URL that every browser opens.
const maxRedirectURI = 2048

// statePattern is from platform.md E.1.
var statePattern = regexp.MustCompile(`^[a-zA-Z0-9]{0,128}$`)

// AuthorizeURL returns the URL of WeChat's page that asks the user; base is the URL of WeChat's open platform. The query is
// built by hand: WeChat checks the order of the parameters (platform.md E.1).
func AuthorizeURL(base, appID string, req *oauthv1.GetAuthorizeUrlRequest) (string, error) {
	if err := checkRedirectURI(req.GetRedirectUri()); err != nil {
		return "", err
	}
	if err := CheckState(req.GetState()); err != nil {
		return "", err
	}
	scope, path := req.GetScope(), "/connect/oauth2/authorize"
	switch scope {
	case "":
		scope = "snsapi_base"
	case "snsapi_base", "snsapi_userinfo":
	case "snsapi_login":
		path = "/connect/qrconnect"
	default:
		return "", InvalidRequest("scope: expected snsapi_base, snsapi_userinfo or snsapi_login")
	}
	page := base + path + "?appid=" + appID +
		"&redirect_uri=" + url.QueryEscape(req.GetRedirectUri()) + "&response_type=code&scope=" + scope
	if req.GetState() != "" {
		page += "&state=" + req.GetState()
	}
	if req.GetForcePopup() {
		page += "&forcePopup=true"
	}
	if req.GetForceSnapshot() {
		page += "&forceSnapShot=true"
	}
	return page + "#wechat_redirect", nil
}

func checkRedirectURI(uri string) error {
	if uri == "" {
		return InvalidRequest("redirect_uri: missing, but required")
	}
	if len(uri) > maxRedirectURI {
		return InvalidRequest(fmt.Sprintf("redirect_uri: %d bytes; expected at most %d", len(uri), maxRedirectURI))
	}
	u, err := url.Parse(uri)
	if err != nil || !IsWebURL(u) {
		return InvalidRequest("redirect_uri: expected an absolute http or https URL without a user, such as https://wx.example.com/oauth/callback")
	}
	// RFC 6749, 3.1.2: WeChat would append the code to the fragment.
	if strings.Contains(uri, "#") {
		return InvalidRequest("redirect_uri: has a fragment; expected none")
	}
	return nil
}

// CheckState returns the error of a state that WeChat would not take.
func CheckState(state string) error {
	if !statePattern.MatchString(state) {
		return InvalidRequest("state: expected at most 128 letters and digits")
	}
	return nil
}

// IsWebURL reports whether u is an absolute http or https URL without a user.
func IsWebURL(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
