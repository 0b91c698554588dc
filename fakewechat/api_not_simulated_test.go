package fakewechat

import (
	"net/http"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
)

// TestFindingsCallsThatAreNotSimulated: they are answered as WeChat answers, and the pages and the log tell of them.
func TestFindingsCallsThatAreNotSimulated(t *testing.T) {
	s := newSite(t, Config{})
	p := s.open(t)
	const want = `{"errcode":40066,"errmsg":"invalid url: the fake WeChat does not simulate this call rid: `
	for _, test := range []struct{ method, path, account string }{
		{http.MethodPost, s.with(t, "/cgi-bin/menu/create"), testAccount(sender.Plain).AppID},
		{http.MethodGet, "/cgi-bin/user/info?access_token=nobodys&openid=" + sender.User, ""},
		{http.MethodPost, "/datacube/getusersummary", ""},
		{http.MethodGet, "/sns/oauth2/access_token/", ""},
	} {
		path, query, _ := strings.Cut(test.path, "?")
		resp, body := s.do(t, test.method, test.path)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, want) {
			t.Errorf("%s %s: %d %s", test.method, path, resp.StatusCode, body)
		}
		var call chatCall
		for call.Path != test.method+" "+path {
			p.next("call", &call)
		}
		if call.Outcome != "not simulated" || call.Account != test.account {
			t.Errorf("the page is told %+v; want the account %q", call, test.account)
		}
		_, page := s.get(t, logPath)
		if !strings.Contains(page, test.method+" "+path) || !strings.Contains(page, "not simulated") {
			t.Errorf("%s is not on the log's page", path)
		}
		if query != "" && strings.Contains(page, query) {
			t.Error("the log's page shows a query, which has a token")
		}
	}
	for _, path := range []string{"/favicon.ico", "/robots.txt", "/fake/nothing", "/connect/nothing", "/.well-known/x", "/x"} {
		if resp, _ := s.get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
	}
}
