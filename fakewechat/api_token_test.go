package fakewechat

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// good reports whether an access_token is accepted.
func (s *site) good(t *testing.T, token string) bool {
	t.Helper()
	return s.api(t, "/cgi-bin/getcallbackip?access_token="+token, "")["ip_list"] != nil
}

func TestStableToken(t *testing.T) {
	s := newSite(t, Config{})
	first, in := s.stable(t, stableBody)
	if in != 7200 {
		t.Errorf("expires_in %d", in)
	}
	s.clock.advance(6900 * time.Second)
	if again, in := s.stable(t, stableBody); again != first || in != 300 {
		t.Errorf("5 minutes before the end: another token %t, expires_in %d", again != first, in)
	}
	s.clock.advance(time.Second)
	second, in := s.stable(t, stableBody)
	if second == first || in != 7200 {
		t.Errorf("in the last 5 minutes: the same token %t, expires_in %d", second == first, in)
	}
	s.clock.advance(298 * time.Second)
	if !s.good(t, first) || !s.good(t, second) {
		t.Error("the old and the new token are not both good")
	}
	s.clock.advance(time.Second)
	s.wantAPI(t, "/cgi-bin/getcallbackip?access_token="+first, "", 42001)
	if !s.good(t, second) {
		t.Error("the new token ended with the old one")
	}
}

func TestForceRefresh(t *testing.T) {
	s := newSite(t, Config{})
	older, _ := s.stable(t, stableBody)
	s.clock.advance(6901 * time.Second)
	first, _ := s.stable(t, stableBody)
	plain, _ := tokenOf(t, s.api(t, plainPath+plainQuery, ""))

	second, in := s.stable(t, stableForce)
	if second == first || in != 7200 {
		t.Fatalf("forced: the same token %t, expires_in %d", second == first, in)
	}
	for _, old := range []string{older, first} {
		s.wantAPI(t, "/cgi-bin/getcallbackip?access_token="+old, "", 40001)
	}
	if !s.good(t, second) || !s.good(t, plain) {
		t.Error("the new token or the other family's is not good")
	}

	s.clock.advance(29 * time.Second)
	if again, in := s.stable(t, stableForce); again != second || in != 7171 {
		t.Errorf("forced after 29 s: another token %t, expires_in %d", again != second, in)
	}
	last := second
	for n := 2; n <= 20; n++ {
		s.clock.advance(30 * time.Second)
		next, _ := s.stable(t, stableForce)
		if next == last {
			t.Fatalf("the %dth force of a day is not done", n)
		}
		last = next
	}
	s.clock.advance(30 * time.Second)
	if again, _ := s.stable(t, stableForce); again != last || !s.good(t, last) {
		t.Error("the 21st force of a day is done")
	}
	// The day ends at midnight in Beijing: the clock began at 08:00 there.
	s.clock.advance(16*time.Hour - s.clock.now().Sub(at) - time.Second)
	last, _ = s.stable(t, stableForce)
	if again, _ := s.stable(t, stableForce); again != last {
		t.Error("forced a second before midnight")
	}
	s.clock.advance(time.Second)
	if again, _ := s.stable(t, stableForce); again == last {
		t.Error("not forced on the next day")
	}
}

func TestPlainToken(t *testing.T) {
	s := newSite(t, Config{})
	stable, _ := s.stable(t, stableBody)
	first, in := tokenOf(t, s.api(t, plainPath+plainQuery, ""))
	second, _ := tokenOf(t, s.api(t, plainPath+plainQuery, ""))
	if in != 7200 || first == second || first == stable {
		t.Errorf("expires_in %d, the same token twice %t, the other family's %t", in, first == second, first == stable)
	}
	s.clock.advance(5*time.Minute - time.Second)
	if !s.good(t, first) {
		t.Error("the old token is not good for 5 more minutes")
	}
	s.clock.advance(time.Second)
	s.wantAPI(t, "/cgi-bin/getcallbackip?access_token="+first, "", 40001)
	if !s.good(t, second) || !s.good(t, stable) {
		t.Error("the new token or the other family's is not good")
	}
	s.clock.advance(2*time.Hour - 5*time.Minute)
	s.wantAPI(t, "/cgi-bin/getcallbackip?access_token="+second, "", 42001)
	third, _ := tokenOf(t, s.api(t, plainPath+plainQuery, "")) // replaces none that is alive
	s.wantAPI(t, "/cgi-bin/getcallbackip?access_token="+second, "", 42001)

	s.clock.advance(2*time.Hour - time.Second)
	tokenOf(t, s.api(t, plainPath+plainQuery, ""))
	s.clock.advance(time.Second)
	if s.good(t, third) {
		t.Error("a newer token makes an old one live longer")
	}
}

func TestCredentials(t *testing.T) {
	s := newSite(t, Config{})
	for _, test := range []struct {
		name, old, new string
		want           int
	}{
		{"appid missing", "wx0000000000000001", "", 41002},
		{"secret missing", "FakeSecret01", "", 41004},
		{"grant_type", "client_credential", "authorization_code", 40002},
		{"another appid", "0001", "0002", 40013},
		{"another secret", "Secret01", "Secret02", 40125},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.wantAPI(t, stablePath, strings.Replace(stableBody, test.old, test.new, 1), test.want)
			s.wantAPI(t, plainPath+strings.Replace(plainQuery, test.old, test.new, 1), "", test.want)
		})
	}
	s.wantAPI(t, stablePath, strings.Replace(stableForce, "true", `"true"`, 1), 47001)
	s.wantAPI(t, stablePath, strings.Replace(stableBody, `"FakeSecret01"`, `1`, 1), 47001)
}

func TestRefuseIP(t *testing.T) {
	s := newSite(t, Config{})
	token := s.with(t, "/cgi-bin/getcallbackip")
	s.platform.RefuseIP(true)
	for _, got := range []map[string]any{s.api(t, stablePath, stableBody), s.api(t, plainPath+plainQuery, "")} {
		if got["errcode"] != 40164.0 || got["errmsg"] != "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist" {
			t.Errorf("got %v", got)
		}
	}
	s.wantAPI(t, stablePath, strings.Replace(stableBody, "Secret01", "Secret02", 1), 40125)
	if s.api(t, token, "")["ip_list"] == nil {
		t.Error("a call with a token is refused")
	}
	s.platform.RefuseIP(false)
	s.stable(t, stableBody)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for addr, want := range map[string]string{
		"[2001:db8::9]:1234":       "invalid ip 2001:db8::9 ipv6 2001:db8::9, not in whitelist",
		"[::ffff:203.0.113.9]:123": "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist",
	} {
		r.RemoteAddr = addr
		if got := errmsgOf(40164, r); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
}

func TestTicket(t *testing.T) {
	s := newSite(t, Config{})
	get := func() (string, any) {
		m := s.api(t, s.with(t, ticketPath)+"&type=jsapi", "")
		ticket, _ := m["ticket"].(string)
		if m["errcode"] != 0.0 || m["errmsg"] != "ok" || len(m) != 4 || ticket == "" {
			t.Fatalf("got %v", m)
		}
		return ticket, m["expires_in"]
	}
	first, in := get()
	if in != 7200.0 {
		t.Errorf("expires_in %v", in)
	}
	s.clock.advance(time.Hour)
	if again, in := get(); again != first || in != 3600.0 {
		t.Errorf("an hour later: another ticket %t, expires_in %v", again != first, in)
	}
	s.clock.advance(time.Hour)
	if again, in := get(); again == first || in != 7200.0 {
		t.Errorf("two hours later: the same ticket %t, expires_in %v", again == first, in)
	}
	s.wantAPI(t, s.with(t, ticketPath), "", 40035)
	s.wantAPI(t, s.with(t, ticketPath)+"&type=x", "", 40035)
}

func TestTokensAreBounded(t *testing.T) {
	s := newSite(t, Config{})
	for range maxKept + 10 {
		s.platform.accountByAppID("").api.issueToken(false, at)
	}
	if n := len(s.platform.accountByAppID("").api.tokens.values); n != maxKept {
		t.Errorf("%d tokens are kept", n)
	}
}
