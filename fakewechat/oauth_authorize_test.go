package fakewechat

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
)

// userOf exchanges a code, and returns the user's openid and, but for snsapi_base, nickname.
func (s *site) userOf(t *testing.T, code string) (openid, nickname string) {
	t.Helper()
	m := s.call(t, exchange+code)
	openid, _ = m["openid"].(string)
	if token, _ := m["access_token"].(string); m["scope"] != "snsapi_base" {
		nickname, _ = s.call(t, "/sns/userinfo?access_token="+token+"&openid="+openid)["nickname"].(string)
	}
	return openid, nickname
}

// TestAuthorizeUsers: who is chosen is logged in, and remembered for the account.
func TestAuthorizeUsers(t *testing.T) {
	s := newSite(t, Config{})
	put(t, s.platform, second(), "")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Client().Jar = jar
	s.platform.chat.meetUser(chatUserKey{testAccount(sender.Plain).AppID, "oSecond"})
	s.platform.chat.meetUser(chatUserKey{second().AppID, "oForeign"})
	const page = authorize + "snsapi_userinfo&state=s1"
	want := func(path, openid, nickname string) {
		t.Helper()
		if gotID, gotName := s.userOf(t, s.login(t, path).Query().Get("code")); gotID != openid || gotName != nickname {
			t.Errorf("%s: got %s, %q; want %s, %q", path, gotID, gotName, openid, nickname)
		}
	}
	want(page, sender.User, "示例&用户😀")
	_, body := s.get(t, page)
	links := regexp.MustCompile(`<a (?:id="new-user" )?href="(/connect[^"]*)">`).FindAllStringSubmatch(body, -1)
	if len(links) != 2 || !strings.Contains(body, "示例用户2") || strings.Contains(body, "oForeign") {
		t.Fatalf("who can be chosen: %q in\n%s", links, body)
	}
	chosen := html.UnescapeString(links[0][1])
	want(chosen, "oSecond", "示例用户2")
	want(page, "oSecond", "示例用户2")
	want(authorize+"snsapi_base&state=s1", "oSecond", "")
	want(authorize+"snsapi_base&state=s1&fake_user="+sender.User, sender.User, "")

	added := html.UnescapeString(links[1][1])
	openid := added[strings.LastIndex(added, "=")+1:]
	want(added, openid, "示例用户3")
	want(added, openid, "示例用户3") // once more is nobody else
	if n := len(s.platform.chat.usersOf(testAccount(sender.Plain).AppID)); n != 3 {
		t.Errorf("%d users", n)
	}

	other := s.login(t, strings.Replace(page, "0001", "0002", 1)).Query().Get("code")
	if c := s.platform.accountByAppID(second().AppID).oauth.codes.get(other); c == nil || c.openid != sender.User {
		t.Errorf("the other account's user is %+v", c)
	}
	s.platform.Reset() // nobody whom a cookie remembers is known
	want(page, sender.User, "示例&用户😀")

	for _, bad := range []string{"a b", "%00", strings.Repeat("o", maxOpenID+1), "<script>"} {
		if resp, body := s.get(t, page+"&fake_user="+url.QueryEscape(bad)); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "fake_user is not an openid") {
			t.Errorf("fake_user %q: status %d", bad, resp.StatusCode)
		}
	}
}

// TestAuthorizeSnapshot: the page leads to the snapshot page and back.
func TestAuthorizeSnapshot(t *testing.T) {
	s := newSite(t, Config{})
	toggle := regexp.MustCompile(`<a id="snapshot" href="([^"]*)">`)
	path := authorize + "snsapi_userinfo&state=s1"
	for i, want := range []bool{false, true, false} {
		_, body := s.get(t, path)
		if got := strings.Contains(body, "is_snapshotuser"); got != want {
			t.Errorf("page %d is a snapshot page: %t; want %t", i, got, want)
		}
		if got := s.call(t, exchange+s.login(t, path).Query().Get("code")); (got["is_snapshotuser"] == 1.0) != want || (got["openid"] == sender.User) == want {
			t.Errorf("page %d: %v", i, got)
		}
		m := toggle.FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("page %d leads to no other:\n%s", i, body)
		}
		path = html.UnescapeString(m[1])
	}
}

// TestAuthorizeLanguages: the pages are in the browser's language, all of their words.
func TestAuthorizeLanguages(t *testing.T) {
	s := newSite(t, Config{})
	read := func(path, language string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", language)
		_, body := s.answer(t, r)
		return body
	}
	scan := strings.Replace(authorize, "oauth2/authorize", "qrconnect", 1) + "snsapi_login"
	for _, test := range []struct{ path, english, chinese string }{
		{authorize + "snsapi_userinfo", ">Allow</a>", ">允许</a>"},
		{authorize + "snsapi_userinfo&forceSnapShot=true", "Snapshot page", "快照页"},
		{scan, "Scanned by 示例&amp;用户😀. Confirm on the phone.", "示例&amp;用户😀 已扫描，请在手机上确认"},
		{authorize + "snsapi_x", "the account has no permission for this scope", "该公众号没有这个 scope 的权限"},
	} {
		for language, want := range map[string][2]string{
			"": {"en", test.english}, "en-US,zh;q=0.5": {"en", test.english}, "zh-CN,zh;q=0.9,en;q=0.8": {"zh-CN", test.chinese},
		} {
			if body := read(test.path, language); !strings.Contains(body, `<html lang="`+want[0]+`">`) || !strings.Contains(body, want[1]) {
				t.Errorf("%s for %q lacks %q:\n%s", test.path, language, want, body)
			}
		}
	}
	for name, words := range pageWords {
		if words[0] == "" || words[1] == "" || words[0] == words[1] {
			t.Errorf("%s: %q", name, words)
		}
	}
	used, err := pageFiles.ReadFile("page/authorize.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\.T "([^"]*)"`).FindAllStringSubmatch(string(used), -1) {
		if _, known := pageWords[m[1]]; !known {
			t.Errorf("no words for %q", m[1])
		}
	}
}

// FuzzAuthorize: an authorize page leads to the redirect_uri, or is refused for a known reason.
func FuzzAuthorize(f *testing.F) {
	p := New(Config{Account: testAccount(sender.Plain)})
	f.Fuzz(func(t *testing.T, rawQuery string) {
		query, own := withoutOwn(rawQuery)
		a, errcode, ok := p.parseAuthorize(query, []string{"snsapi_base"})
		if !ok {
			if pageErrors[errcode][0] == "" || pageErrors[errcode][1] == "" {
				t.Errorf("%q: no words for %d", rawQuery, errcode)
			}
			return
		}
		want, err := url.Parse(a.RedirectURI)
		if err != nil {
			t.Fatal(err)
		}
		got, err := url.Parse(a.returnURL("CODE"))
		if err != nil || got.Scheme != want.Scheme || got.Host != want.Host || got.Path != want.Path {
			t.Errorf("%q leads to %v, %v; want %v", rawQuery, got, err, want)
		}
		if strings.Contains(query, "&"+fakeUser+"=") || strings.Contains(query, "&"+fakeAllow) || validOpenID(own.user) && url.QueryEscape(own.user) != own.user {
			t.Errorf("%q: %q is left, %q chosen", rawQuery, query, own.user)
		}
	})
}

// TestDrawCode: a picture for each login, with the marks in three corners.
func TestDrawCode(t *testing.T) {
	one, two := drawCode("one"), drawCode("two")
	if one != drawCode("one") || one == two {
		t.Error("not the same for the same text, or for another")
	}
	for _, path := range []string{one, two} {
		for at, dark := range map[string]bool{"0 0": true, "3 3": true, "6 6": true, "28 0": true, "0 28": true, "25 3": true, "1 1": false, "7 7": false, "21 7": false} {
			if got := strings.Contains(path, "M"+at+"h"); got != dark {
				t.Errorf("%s is dark: %t; want %t", at, got, dark)
			}
		}
	}
}
