package fakewechat

import (
	"testing"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// used asks for the quota of a path and returns used and remain.
func (s *site) used(t *testing.T, path string) (used, remain int) {
	t.Helper()
	m := s.api(t, s.with(t, quotaPath), `{"cgi_path":"`+path+`"}`)
	q, _ := m["quota"].(map[string]any)
	u, _ := q["used"].(float64)
	r, isNumber := q["remain"].(float64)
	if m["errcode"] != 0.0 || !isNumber {
		t.Fatalf("%s: %v", path, m)
	}
	return int(u), int(r)
}

func TestQuotaGet(t *testing.T) {
	s := newSite(t, Config{})
	send := s.with(t, sendPath)
	for range 12 {
		s.wantAPI(t, send, text("oNobody", "hi"), 40003)
	}
	s.wantAPI(t, sendPath+"?access_token=x", text(sender.User, "hi"), 40001) // not counted
	want := map[string]any{
		"errcode": 0.0, "errmsg": "ok",
		"quota":                map[string]any{"daily_limit": 500000.0, "used": 12.0, "remain": 499988.0},
		"rate_limit":           map[string]any{"call_count": 10000.0, "refresh_second": 60.0},
		"component_rate_limit": map[string]any{"call_count": 0.0, "refresh_second": 0.0},
	}
	got := s.api(t, s.with(t, quotaPath), string(sample(t, "json/quota_get.request.json")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		path string
		want int
	}{
		{"cgi-bin/message/custom/send", 76003},
		{"https://api.weixin.qq.com/cgi-bin/message/custom/send", 76003},
		{"", 76003},
		{"/cgi-bin/message/custom", 76021},
		{"/sns/userinfo", 76022},
		{"/x/sns/y", 76022},
	} {
		s.wantAPI(t, s.with(t, quotaPath), `{"cgi_path":"`+test.path+`"}`, test.want)
	}
	s.wantAPI(t, s.with(t, quotaPath), `{"cgi_path":1}`, 47001)
}

func TestDailyLimit(t *testing.T) {
	s := newSite(t, Config{})
	for range 2000 {
		if got := s.api(t, plainPath+plainQuery, ""); got["access_token"] == nil {
			t.Fatalf("got %v", got)
		}
	}
	s.wantAPI(t, plainPath+plainQuery, "", 45009)
	s.stable(t, stableBody) // has its own
	if used, remain := s.used(t, plainPath); used != 2000 || remain != 0 {
		t.Errorf("used %d, remain %d", used, remain)
	}
	s.clock.advance(16*time.Hour - time.Second) // 08:00 + 16 h is midnight in Beijing
	s.wantAPI(t, plainPath+plainQuery, "", 45009)
	s.clock.advance(time.Second)
	tokenOf(t, s.api(t, plainPath+plainQuery, ""))
}

func TestClearQuota(t *testing.T) {
	s := newSite(t, Config{})
	const body = `{"appid":"wx0000000000000001"}`
	s.stable(t, stableBody)
	s.wantAPI(t, s.with(t, clearPath), `{"appid":"wx0000000000000002"}`, 40013)
	s.wantAPI(t, s.with(t, clearPath), `{}`, 40013)
	s.wantAPI(t, s.with(t, clearPath), `{"appid":1}`, 47001)
	if used, _ := s.used(t, stablePath); used != 5 {
		t.Errorf("%d calls are counted before", used)
	}
	path := s.with(t, clearPath)
	s.wantAPI(t, path, body, 0)
	if used, _ := s.used(t, stablePath); used != 1 { // its own token
		t.Errorf("%d calls are counted after", used)
	}
	for range 9 {
		s.wantAPI(t, path, body, 0)
	}
	s.wantAPI(t, path, body, 48006)
	s.clock.advance(31*24*time.Hour - 8*time.Hour - time.Second) // January ends
	s.wantAPI(t, s.with(t, clearPath), body, 48006)
	s.clock.advance(time.Second)
	s.wantAPI(t, s.with(t, clearPath), body, 0)
}
