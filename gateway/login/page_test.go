package login

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	oauthv1 "wxgate/proto/oauth/v1"
)

// parsePage reads a page as a browser does.
func parsePage(t testing.TB, body string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// all returns the elements with that name.
func all(doc *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

// words of an element, its descendants' too.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// attributes returns an element's attributes.
func attributes(n *html.Node) map[string]string {
	got := map[string]string{}
	for _, a := range n.Attr {
		got[a.Key] = a.Val
	}
	return got
}

// policyOf returns the policy that a page without an image must have: it takes the style that stands in it.
func policyOf(t testing.TB, body string) string {
	t.Helper()
	styles := all(parsePage(t, body), "style")
	if len(styles) != 1 {
		t.Fatalf("%d styles in %s", len(styles), body)
	}
	sum := sha256.Sum256([]byte(textOf(styles[0])))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
}

// browserAccept is what browsers send where they open a page.
const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// page visits userinfo as a person does.
func (f *fixture) page(t testing.TB, session *http.Cookie) answer {
	t.Helper()
	return f.do(t, "GET", f.public+userinfoPath, nil, header("Accept", browserAccept), func(r *http.Request) {
		if session != nil {
			r.AddCookie(&http.Cookie{Name: session.Name, Value: session.Value})
		}
	})
}

func TestUserPage(t *testing.T) {
	f, fake := start(t, nil)
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_base,snsapi_userinfo,"}
	fake.profile.Headimgurl = "https://thirdwx.qlogo.cn/mmopen/a?b&c/132"
	got := f.page(t, f.session(t))
	if got.Status != 200 || got.Header.Get("Content-Type") != "text/html; charset=utf-8" || got.Header.Get("Vary") != "Accept" || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	if diff := cmp.Diff(policyOf(t, got.Body)+"; img-src https://thirdwx.qlogo.cn/", got.Header.Get("Content-Security-Policy")); diff != "" {
		t.Errorf("Content-Security-Policy (-want +got):\n%s", diff)
	}
	doc := parsePage(t, got.Body)
	rows := map[string]string{}
	names, values := all(doc, "dt"), all(doc, "dd")
	for i := range min(len(names), len(values)) {
		rows[textOf(names[i])] = textOf(values[i])
	}
	want := map[string]string{"昵称 · Nickname": "confide 小明 <b>😀", "openid": "oGatew…", "公众号 · Account": "plain",
		"授权范围 · Scope": "snsapi_base,snsapi_userinfo", "快照页 · Snapshot page": "否 · no"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	var links []string
	for _, a := range all(doc, "a") {
		links = append(links, attributes(a)["href"]+" "+textOf(a))
	}
	if diff := cmp.Diff([]string{"/oauth/logout 退出登录 · Log out"}, links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	var images []map[string]string
	for _, img := range all(doc, "img") {
		images = append(images, attributes(img))
	}
	if diff := cmp.Diff([]map[string]string{{"src": fake.profile.GetHeadimgurl(), "alt": "", "width": "66", "height": "66", "referrerpolicy": "no-referrer"}}, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	for _, name := range []string{"script", "link", "iframe", "form", "b", "object", "base"} {
		if n := len(all(doc, name)); n != 0 {
			t.Errorf("%d elements %s", n, name)
		}
	}
	if strings.Contains(got.Body, testUser) || !strings.Contains(got.Body, "color-scheme:light dark") {
		t.Errorf("the page shows the whole openid, or is not for the dark: %s", got.Body)
	}
}

// What is no address of an image shows none, and gets nothing into the policy.
func TestOddImages(t *testing.T) {
	for image, want := range map[string]string{
		"":                                   "",
		"/0":                                 "",
		"javascript:alert(1)":                "",
		"data:image/png;base64,x":            "",
		"https://a.example; script-src *":    "",
		"https://a.example;script-src/x":     "",
		"https://a.example,b.example/x":      "",
		"https://user@a.example/x":           "",
		"https://*/x":                        "",
		"//a.example/x":                      "",
		"https://a.example\\@b.example/x":    "",
		"http://wx.qlogo.cn/mmopen/x/0":      "; img-src http://wx.qlogo.cn/",
		"https://a.example:8443/x/0?'\"<>;y": "; img-src https://a.example:8443/",
		"https://a.example":                  "; img-src https://a.example",
	} {
		w := httptest.NewRecorder()
		if err := writePage(w, 200, pageContent{Title: "x", Image: image}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(policyOf(t, w.Body.String())+want, w.Header().Get("Content-Security-Policy")); diff != "" {
			t.Errorf("%q: policy (-want +got):\n%s", image, diff)
		}
		if shown := len(all(parsePage(t, w.Body.String()), "img")) == 1; shown != (want != "") {
			t.Errorf("%q: shown %v", image, shown)
		}
	}
}

// A person who is not logged in, or whose scope shows no profile, gets a page too.
func TestOtherUserPages(t *testing.T) {
	f, fake := start(t, nil)
	got := f.page(t, nil)
	links := all(parsePage(t, got.Body), "a")
	if got.Status != 401 || len(links) != 1 || attributes(links[0])["href"] != loginPath {
		t.Errorf("without a session: %d %s", got.Status, got.Body)
	}
	fake.token = &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_base"}
	got = f.page(t, f.session(t))
	if got.Status != 200 || !strings.Contains(got.Body, "<dd>—</dd>") || !strings.Contains(got.Body, "<dd>snsapi_base</dd>") || strings.Contains(got.Body, "<img") {
		t.Errorf("snsapi_base: %d %s", got.Status, got.Body)
	}
}

// The page is for people who open it; all others get the JSON that they rely on.
func TestPrefersHTML(t *testing.T) {
	for accept, want := range map[string]bool{
		browserAccept: true,
		"text/html":   true,
		"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": true,
		"application/json;q=0.5, text/html":                                  true,
		"application/json,text/html;q=0.9":                                   false,
		"text/html,application/json":                                         false,
		"text/html, */*":                                                     false,
		"text/html;q=0.8,application/*;q=0.9":                                false,
		"TEXT/HTML;q=0.8,application/json;q=0.1,*/*":                         true,
		"text/html;q=0":                                                      false,
		"text/html;q=0,*/*;q=0":                                              false,
		"*/*":                                                                false,
		"text/*":                                                             false,
		"application/json":                                                   false,
		"application/json, text/plain, */*":                                  false,
		"junk,;q=,text/html":                                                 true,
		"text/plain; note=text/html":                                         false,
		"":                                                                   false,
	} {
		if got := prefersHTML([]string{accept}); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
	if prefersHTML(nil) || !prefersHTML([]string{"application/json;q=0.1", "text/html"}) {
		t.Error("several headers, or none")
	}
	f, _ := start(t, nil)
	session := f.session(t)
	for _, accept := range []string{"*/*", "application/json", "application/json, text/plain, */*"} {
		got := f.do(t, "GET", f.public+userinfoPath, nil, header("Accept", accept), func(r *http.Request) { r.AddCookie(session) })
		if got.Status != 200 || got.Header.Get("Content-Type") != "application/json; charset=utf-8" || !strings.Contains(got.Body, testUser) {
			t.Errorf("%q: %d %s", accept, got.Status, got.Body)
		}
	}
}

// A session knows more than the user: it fits into a cookie even so.
func TestSessionFits(t *testing.T) {
	s, err := newSessionSealer([][]byte{[]byte(testSessionKey)})
	if err != nil {
		t.Fatal(err)
	}
	user := testProfile()
	user.Nickname, user.Headimgurl, user.Unionid = strings.Repeat("<", 64), "https://thirdwx.qlogo.cn/"+strings.Repeat("x", 300), strings.Repeat("u", 64)
	value, err := s.sealSession(&loginSession{Account: strings.Repeat("a", 64), Scope: "snsapi_base,snsapi_userinfo,", User: user, Logins: slices.Repeat([]string{hashState("")}, maxSessionLogins)})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(hostPrefix+sessionCookie+"_"+strings.Repeat("a", 64)) + len(value); n > 4096 {
		t.Errorf("the cookie has %d bytes; browsers keep 4096", n)
	}
}
