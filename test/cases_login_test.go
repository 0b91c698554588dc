package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/test/testproc"
)

// surfer is a browser that follows no redirect by itself.
type surfer struct {
	t    *testing.T
	http http.Client
}

func newSurfer(t *testing.T) *surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &surfer{t, http.Client{Jar: jar, Timeout: testproc.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// opens visits an address.
func (s *surfer) opens(address string) (status int, location, body string) {
	s.t.Helper()
	resp, err := s.http.Get(address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// leads visits an address that leads to another, which begins so.
func (s *surfer) leads(address, begin string) string {
	s.t.Helper()
	status, location, body := s.opens(address)
	if status != http.StatusFound || !strings.HasPrefix(location, begin) {
		s.t.Fatalf("%d to %q, %s; want to %s", status, location, body, begin)
	}
	return location
}

// user returns who is logged in; nobody is "".
func (s *surfer) user(gateway, query string) (openid, account string) {
	s.t.Helper()
	status, _, body := s.opens(gateway + "/oauth/userinfo" + query)
	var user struct{ Openid, Account string }
	if err := json.Unmarshal([]byte(body), &user); err != nil || (status == http.StatusOK) != (user.Openid != "") {
		s.t.Fatalf("%d %s, %v", status, body, err)
	}
	return user.Openid, user.Account
}

// playSharedCallback: somebody else's callback address logs nobody in, nor does its code with a login of one's own.
func playSharedCallback(t *testing.T) {
	p := testproc.Start(t, testproc.Env(), "dev")
	gateway := "http://" + p.Addr("listen")
	begin := gateway + "/oauth/login?scope=snsapi_base&return_to=/shop"
	owner := newSurfer(t)
	callback := owner.leads(owner.leads(begin, "http"), gateway+"/oauth/callback?")
	owner.leads(callback, "/shop")
	for _, tail := range []string{"", "?from=singlemessage", "&from=singlemessage&isappinstalled=0"} {
		friend := newSurfer(t)
		to, err := url.Parse(friend.leads(callback+tail, "/oauth/login?"))
		if err != nil || to.Query().Get("return_to") != "/shop" || to.Query().Get("scope") != "snsapi_base" {
			t.Errorf("%q begins anew at %s, %v", tail, to, err)
		}
		if openid, _ := friend.user(gateway, ""); openid != "" {
			t.Errorf("%q: the friend is %s", tail, openid)
		}
	}
	used, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	thief := newSurfer(t)
	page, err := url.Parse(thief.leads(begin, "http"))
	if err != nil {
		t.Fatal(err)
	}
	q := used.Query()
	q.Set("state", page.Query().Get("state"))
	failed := thief.leads(gateway+"/oauth/callback?"+q.Encode(), "/oauth/failed?reason=CODE_USED")
	if status, _, _ := thief.opens(gateway + failed); status != http.StatusBadRequest {
		t.Errorf("%s: %d, want 400", failed, status)
	}
	if openid, _ := thief.user(gateway, ""); openid != "" {
		t.Errorf("the thief is %s", openid)
	}
	owner.leads(callback, "/shop")
	if openid, _ := owner.user(gateway, ""); openid == "" {
		t.Error("the owner is logged out")
	}
	testproc.NoSecrets(t, p)
}

// playTwoAccounts: a browser that is logged in to two accounts has a session of each.
func playTwoAccounts(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"access_token":"a","expires_in":7200,"refresh_token":"r","openid":"oUserOf-%s","scope":"snsapi_base"}`, r.URL.Query().Get("appid"))
	}))
	defer api.Close()
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	text := "accounts:\n"
	for _, name := range []string{"shop", "club"} {
		text += "  - {name: " + name + ", app_id: wx" + name + ", token: t" + name + ", app_secret: s" + name + "}\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env("WECHAT_API_URL="+api.URL, "WECHAT_OPEN_URL="+api.URL), "serve", "--accounts", path)
	gateway := "http://" + p.Addr("listen")
	visitor := newSurfer(t)
	for _, name := range []string{"shop", "club"} {
		page, err := url.Parse(visitor.leads(gateway+"/oauth/login?scope=snsapi_base&return_to=/x&account="+name, api.URL))
		if err != nil {
			t.Fatal(err)
		}
		visitor.leads(page.Query().Get("redirect_uri")+"&code=codeOf"+name+"&state="+page.Query().Get("state"), "/x")
	}
	for query, want := range map[string]string{"": "club", "?account=shop": "shop", "?account=club": "club"} {
		if openid, name := visitor.user(gateway, query); openid != "oUserOf-wx"+want || name != want {
			t.Errorf("%q: %s of %s, want the user of %s", query, openid, name, want)
		}
	}
}

// TestFindingsLoginsOutliveARestart: with a data directory a session and a login under way are good after a restart, and a user
// who withdrew is logged out.
func TestFindingsLoginsOutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := testproc.Start(t, testproc.Env(), "dev", "--data-dir", dir)
	listen, fake := p.Addr("listen"), p.Addr("fake-listen")
	gateway := "http://" + listen
	visitor := newSurfer(t)
	visitor.leads(visitor.leads(visitor.leads(gateway+"/oauth/login?scope=snsapi_base&return_to=/a", "http"), gateway), "/a")
	page := visitor.leads(gateway+"/oauth/login?scope=snsapi_base&return_to=/b", "http")
	if code := p.Stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	p = testproc.Start(t, testproc.Env(), "dev", "--data-dir", dir, "--listen", listen, "--fake-listen", fake)
	internal := "http://" + p.Addr("internal-listen")
	p.Addr("listen")
	p.Addr("fake-listen")
	openid, _ := visitor.user(gateway, "")
	if openid == "" {
		t.Fatal("the session ended")
	}
	visitor.leads(visitor.leads(page, gateway), "/b")
	resp, err := http.Post(internal+"/v1/oauth/forget", "application/json", strings.NewReader(`{"openid":"`+openid+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if left, _ := visitor.user(gateway, ""); resp.StatusCode != http.StatusOK || left != "" {
		t.Errorf("%s; %q is logged in after withdrawing", resp.Status, left)
	}
}
