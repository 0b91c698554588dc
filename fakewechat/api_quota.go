package fakewechat

import (
	"strings"
	"time"
)

const clearsAMonth = 10

// callQuota counts the account's calls of a day.
type callQuota struct {
	daily   map[string]int // the limits, by path
	day     string         // of used
	used    map[string]int
	month   string // of cleared
	cleared int
}

// WeChat's days begin at midnight in Beijing.
var beijing = time.FixedZone("UTC+8", 8*60*60)

func beijingDay(now time.Time) string { return now.In(beijing).Format(time.DateOnly) }

// useQuota counts a call. It returns false if the day's quota is used up. The caller holds mu.
func (s *apiStore) useQuota(path string, now time.Time) bool {
	q := &s.quota
	if today := beijingDay(now); q.day != today {
		q.day = today
		clear(q.used)
	}
	if q.used[path] >= q.daily[path] {
		return false
	}
	q.used[path]++
	return true
}

type quotaAnswer struct {
	errorAnswer
	Quota struct {
		DailyLimit int `json:"daily_limit"`
		Used       int `json:"used"`
		Remain     int `json:"remain"`
	} `json:"quota"`
	RateLimit          rateLimit `json:"rate_limit"`
	ComponentRateLimit rateLimit `json:"component_rate_limit"`
}

type rateLimit struct {
	CallCount     int `json:"call_count"`
	RefreshSecond int `json:"refresh_second"`
}

// quotaGet is /cgi-bin/openapi/quota/get. The rate limit in its answer is never applied: see Fail.
func (acc *account) quotaGet(c *apiCall) callResult {
	var path string
	if !c.body.readValue("cgi_path", &path) {
		return refusedResult(47001)
	}
	q := &acc.api.quota
	daily, found := q.daily[path]
	switch {
	case !strings.HasPrefix(path, "/"):
		return refusedResult(76003)
	case strings.Contains(path, "/sns/"):
		return refusedResult(76022)
	case !found:
		return refusedResult(76021)
	}
	a := quotaAnswer{errorAnswer: errorAnswer{0, "ok"}, RateLimit: rateLimit{10_000, 60}}
	a.Quota.DailyLimit, a.Quota.Used, a.Quota.Remain = daily, q.used[path], daily-q.used[path]
	return callResult{answer: a}
}

// clearQuota is /cgi-bin/clear_quota.
func (acc *account) clearQuota(c *apiCall) callResult {
	var appID string
	if !c.body.readValue("appid", &appID) {
		return refusedResult(47001)
	}
	if appID != acc.settings.AppID {
		return refusedResult(40013)
	}
	q := &acc.api.quota
	if month := c.now.In(beijing).Format("2006-01"); q.month != month {
		q.month, q.cleared = month, 0
	}
	if q.cleared >= clearsAMonth {
		return refusedResult(48006)
	}
	q.cleared++
	clear(q.used)
	return okResult
}
