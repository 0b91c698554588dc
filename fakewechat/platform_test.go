package fakewechat

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestHost: what steers the platform is not for a site whose name points here. What stands in for WeChat's API is.
func TestHost(t *testing.T) {
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	get := func(method, path, host string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("Origin", "http://"+host) // as the browser has it
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, host := range []string{"127.0.0.1:8010", "192.168.1.2", "[::1]:8010", "[fe80::1]", "localhost:8010", "LOCALHOST", "wechat.localhost:8010",
		"fakewechat:8010", "fakewechat.", "devbox"} {
		for _, path := range []string{"/", "/fake/log", "/fake/v1/faults"} {
			if status, body := get(http.MethodGet, path, host); status != http.StatusOK {
				t.Errorf("%s for %s: got status %d, %s; want 200", path, host, status, body)
			}
		}
	}
	for _, host := range []string{"evil.test:8010", "evil.test", "evil.test.:8010", "localhost.evil.test", "127.0.0.1.evil.test", "1.2.3.4.5", "xlocalhost.test"} {
		for _, call := range []string{"GET /", "GET /fake/log", "GET /fake/events", "GET /fake/v1/faults", "PUT /fake/v1/faults", "POST /fake/v1/reset",
			"POST /fake/lines", "POST /fake/users", "POST /fake/send", "POST /fake/told", "GET /%66ake/v1/faults"} {
			method, path, _ := strings.Cut(call, " ")
			if status, body := get(method, path, host); status != http.StatusForbidden || !strings.Contains(body, "by its address") {
				t.Errorf("%s for %s: got status %d, %s; want 403", call, host, status, body)
			}
		}
		if status, body := get(http.MethodGet, plainPath, host); status != http.StatusOK || !strings.Contains(body, "errcode") {
			t.Errorf("the API for %s: got status %d, %s; want an errcode", host, status, body)
		}
	}
}
