package login

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsLogoutIsAPost: a link asks, and a button logs out of all accounts, with what is left of logins; a page of another
// site does not.
func TestFindingsLogoutIsAPost(t *testing.T) {
	f, _ := start(t, func(cfg *Config) { cfg.PublicURL = "http://wx.example.com" })
	b := f.login(t, "")
	held := []*http.Cookie{f.session(t), {Name: sessionCookie + "_safe", Value: "x"}, b.cookie}
	for query, status := range map[string]int{"": 200, "?return_to=/bye": 303, "?return_to=https://www.good.example/": 303} {
		asks := f.visit(t, logoutPath+query, held...)
		forms := all(parsePage(t, asks.Body), "form")
		if asks.Status != 200 || len(asks.Cookies) != 0 || len(forms) != 1 || attributes(forms[0])["action"] != logoutPath+query || attributes(forms[0])["method"] != "post" {
			t.Fatalf("%q: %d, cookies %v, %s; want a button", query, asks.Status, asks.Cookies, asks.Body)
		}
		if policy := asks.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") {
			t.Errorf("policy %s: the button leads nowhere", policy)
		}
		post := func(headers ...string) answer {
			return f.do(t, "POST", f.public+logoutPath+query, nil, func(r *http.Request) {
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				for _, c := range held {
					r.AddCookie(c)
				}
			})
		}
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if got := post(headers...); got.Status != 403 || len(got.Cookies) != 0 {
				t.Errorf("%q, %v: %d, cookies %v; want 403", query, headers, got.Status, got.Cookies)
			}
		}
		for _, headers := range [][]string{nil, {"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://wx.example.com"}} {
			got := post(headers...)
			for _, c := range held {
				path := "/"
				if c == b.cookie {
					path = loginRoot
				}
				if diff := cmp.Diff(flags{path, -1, true, false, http.SameSiteLaxMode}, flagsOf(got.Cookies[c.Name])); diff != "" || got.Status != status {
					t.Errorf("%q, %v: %d, want %d; cookie %s (-want +got):\n%s", query, headers, got.Status, status, c.Name, diff)
				}
			}
		}
	}
}

// TestFindingsHeadChangesNothing: who looks at the head of a link begins, ends and uses up no login.
func TestFindingsHeadChangesNothing(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "")
	held := f.session(t)
	asked := len(fake.made())
	for _, path := range []string{loginPath, b.back(testCode), logoutPath, logoutPath + "?return_to=/"} {
		got := f.do(t, "HEAD", f.public+path, nil, func(r *http.Request) { r.AddCookie(b.cookie); r.AddCookie(held) })
		if got.Status != 200 || len(got.Cookies) != 0 || got.Header.Get("Location") != "" {
			t.Errorf("%s: %d, cookies %v, to %q", path, got.Status, got.Cookies, got.Header.Get("Location"))
		}
	}
	if calls := fake.made()[asked:]; len(calls) != 0 {
		t.Errorf("oauthsvc was asked %v", calls)
	}
	if got := f.do(t, "HEAD", f.public+userinfoPath, nil); got.Status != 401 {
		t.Errorf("userinfo: %d, want 401", got.Status)
	}
}

// TestFindingsNoHost: a request of HTTP/1.0 without a Host is told what is wrong.
func TestFindingsNoHost(t *testing.T) {
	f, fake := start(t, nil)
	conn, err := net.Dial("tcp", f.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", loginPath); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page := make([]byte, 4096)
	n, _ := resp.Body.Read(page)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(page[:n]), "Host") || len(fake.made()) != 0 {
		t.Errorf("%d %s", resp.StatusCode, page[:n])
	}
}
