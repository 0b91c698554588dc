package oauthsvc

import (
	"net/url"
	"strings"
)

// pageURL returns a page's URL as the JS-SDK's signature wants it: location.href without what follows "#" (platform.md F.4).
// What browsers always do to a URL is done here too: no spaces around it, scheme and host in lower case, no default port, and a
// path. Path and query stay as they are, also if they cannot be unescaped: /100% is a path that browsers have.
func pageURL(page string) (string, error) {
	page, _, _ = strings.Cut(strings.TrimSpace(page), "#")
	scheme, rest, _ := strings.Cut(page, "://")
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?\\"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || !isWeb(u) || strings.HasPrefix(path, "\\") {
		return "", invalid("url: expected the page's URL as the browser has it, such as https://wx.example.com/page?a=1")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), defaultPort), ":")
	return u.Scheme + "://" + host + path, nil
}
