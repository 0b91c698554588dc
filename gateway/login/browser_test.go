package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// visit is a browser's GET of one of our paths.
func (f *fixture) visit(t testing.TB, path string, cookies ...*http.Cookie) answer {
	t.Helper()
	return f.do(t, "GET", f.public+path, nil, func(r *http.Request) {
		for _, c := range cookies {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	})
}

// cookieOf returns the cookie that an answer sets whose name begins so, without the prefix that browsers know; nil: none.
func cookieOf(got answer, name string) *http.Cookie {
	for _, c := range got.Cookies {
		if strings.HasPrefix(strings.TrimPrefix(c.Name, hostPrefix), name) && c.MaxAge >= 0 {
			return c
		}
	}
	return nil
}

// fails is a browser's visit of a callback that fails, and of the page that says so: its address has neither code nor state.
func (f *fixture) fails(t testing.TB, path string, cookies ...*http.Cookie) answer {
	t.Helper()
	got := f.visit(t, path, cookies...)
	to := got.Header.Get("Location")
	if got.Status == 403 {
		to = strings.TrimPrefix(got.Header.Get("Refresh"), "0; url=")
	}
	if got.Status != 403 && got.Status != 302 || len(got.Cookies) != 0 ||
		!strings.HasPrefix(to, failedPath+"?reason=") || strings.Contains(to, "code=") || strings.Contains(to, "state=") {
		t.Fatalf("%d to %q, cookies %v; want to go on to %s", got.Status, to, got.Cookies, failedPath)
	}
	page := f.visit(t, to, cookies...)
	if got.Status == 403 && (page.Status != 403 || page.Body != got.Body) {
		t.Errorf("the callback says %d %s, then %d %s", got.Status, got.Body, page.Status, page.Body)
	}
	return page
}

// begun is a login that WeChat may now end.
type begun struct {
	redirect *url.URL // redirect_uri
	state    string
	scope    string
	cookie   *http.Cookie
}

// login begins a login with a query of /oauth/login.
func (f *fixture) login(t testing.TB, query string) begun {
	t.Helper()
	got := f.visit(t, loginPath+query)
	to, err := url.Parse(got.Header.Get("Location"))
	if got.Status != 302 || err != nil || !strings.HasPrefix(to.String(), openPage+"?") || cookieOf(got, loginCookie+"_") == nil {
		t.Fatalf("login: %d to %q (%v), cookies %v", got.Status, to, err, got.Cookies)
	}
	redirect, err := url.Parse(to.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	return begun{redirect, to.Query().Get("state"), to.Query().Get("scope"), cookieOf(got, loginCookie+"_")}
}

// back returns where WeChat sends the browser, with a code unless it is "".
func (b begun) back(code string) string {
	q := b.redirect.Query()
	if code != "" {
		q.Set("code", code)
	}
	q.Set("state", b.state)
	return b.redirect.Path + "?" + q.Encode()
}

// session logs in and returns the session's cookie.
func (f *fixture) session(t testing.TB) *http.Cookie {
	t.Helper()
	b := f.login(t, "")
	got := f.visit(t, b.back(testCode), b.cookie)
	if got.Status != 302 || cookieOf(got, sessionCookie) == nil {
		t.Fatalf("callback: %d %s", got.Status, got.Body)
	}
	return cookieOf(got, sessionCookie)
}
