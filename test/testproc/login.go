package testproc

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
)

// AllowLink finds the button of the fake platform's authorize page.
var AllowLink = regexp.MustCompile(`id="allow" href="([^"]+)"`)

// Allow presses the button of an authorize page, and returns the callback URL to which the browser is sent.
func Allow(t *testing.T, page string) string {
	t.Helper()
	link := AllowLink.FindStringSubmatch(page)
	if link == nil {
		t.Fatalf("no allow button:\n%s", page)
	}
	stays := &http.Client{Timeout: Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stays.Get(strings.ReplaceAll(link[1], "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Fatalf("allowing: status %d", resp.StatusCode)
	}
	return resp.Header.Get("Location")
}

// Login goes through a login as a browser does, and returns the user.
func Login(t *testing.T, base string) map[string]any {
	t.Helper()
	return LoginTo(t, base, "")
}

// LoginTo is Login with more parameters, each followed by an &.
func LoginTo(t *testing.T, base, parameters string) map[string]any {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: Patience}
	page := Get(t, browser, base+"/oauth/login?"+parameters+"return_to=/oauth/userinfo")
	callback := Allow(t, page)
	first := Get(t, browser, callback)
	if again := Get(t, browser, callback); again != first {
		t.Errorf("the callback reloaded gives %s, at first it gave %s", again, first)
	}
	var user map[string]any
	if err := json.Unmarshal([]byte(first), &user); err != nil {
		t.Fatalf("%v:\n%s", err, first)
	}
	return user
}

// Get returns the body of a page.
func Get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
