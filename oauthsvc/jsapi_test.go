package oauthsvc

import (
	"net/url"
	"strings"
	"testing"

	"wxgate/oauthsvc/wechatapi"
)

// TestFindingsPageURL: a page is signed as browsers have it in location.href.
func TestFindingsPageURL(t *testing.T) {
	for page, want := range map[string]string{
		"https://wx.example.com/":                        "https://wx.example.com/",
		"https://wx.example.com/\u0020":                  "https://wx.example.com/",
		"\thttps://wx.example.com/a\n":                   "https://wx.example.com/a",
		"https://wx.example.com":                         "https://wx.example.com/",
		"https://wx.example.com#top":                     "https://wx.example.com/",
		"https://wx.example.com?a=1":                     "https://wx.example.com/?a=1",
		"https://wx.example.com?next=https://a.cn/b":     "https://wx.example.com/?next=https://a.cn/b",
		"HTTPS://WX.Example.com/Page":                    "https://wx.example.com/Page",
		"https://wx.example.com:443/a":                   "https://wx.example.com/a",
		"http://wx.example.com:80/a":                     "http://wx.example.com/a",
		"http://wx.example.com:443/a":                    "http://wx.example.com:443/a",
		"https://wx.example.com:8443/a":                  "https://wx.example.com:8443/a",
		"https://wx.example.com:/a":                      "https://wx.example.com/a",
		"https://[2001:DB8::1]:443/a":                    "https://[2001:db8::1]/a",
		"https://wx.example.com/100%/x":                  "https://wx.example.com/100%/x",
		"https://wx.example.com/a?b=%zz&c=%E9%A1%B5#d#e": "https://wx.example.com/a?b=%zz&c=%E9%A1%B5",
		"https://wx.example.com/页?a=[]|^":                "https://wx.example.com/页?a=[]|^",
	} {
		if got, err := jsapiPage(page); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", page, got, err, want)
		}
	}
	for _, bad := range []string{"", " ", "/page", "wx.example.com", "javascript:alert(1)", "https://", "https:///x", "https://u@wx.example.com/",
		"https://u:p@wx.example.com/", "ftp://wx.example.com/", "https://wx.example.com\\a", "https://wx.example.com:port/", "https://a b/", "://a/", "https:/a.cn/"} {
		if got, err := jsapiPage(bad); err == nil {
			t.Errorf("%q: %q; want an error", bad, got)
		}
	}
}

// FuzzPageURL: a signed URL is a web address with a path and without a fragment, and does not change if it is signed again.
func FuzzPageURL(f *testing.F) {
	for _, page := range []string{"https://wx.example.com", "HTTP://a:80/100%?#", "https://u@h/", "https://[::1]:443?x"} {
		f.Add(page)
	}
	f.Fuzz(func(t *testing.T, page string) {
		got, err := jsapiPage(page)
		if err != nil {
			return
		}
		again, err := jsapiPage(got)
		if err != nil || again != got {
			t.Errorf("%q: %q, and of that %q, %v", page, got, again, err)
		}
		scheme, rest, _ := strings.Cut(got, "://")
		host, _, hasPath := strings.Cut(rest, "/")
		if u, err := url.Parse(scheme + "://" + host); err != nil || !wechatapi.IsWebURL(u) || !hasPath || strings.Contains(got, "#") {
			t.Errorf("%q: %q is no page", page, got)
		}
	})
}
