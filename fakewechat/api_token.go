package fakewechat

import (
	"crypto/rand"
	"time"
)

const (
	overlap     = 5 * time.Minute // how long an old and a new access_token are both valid
	forcedADay  = 20
	forcedApart = 30 * time.Second
)

// apiCredential is an access_token of the account, or a ticket. nil: not made yet.
type apiCredential struct {
	value    string
	expires  time.Time
	stable   bool // of /cgi-bin/stable_token
	replaced bool // by a newer one of /cgi-bin/token
}

// forcedRefreshes counts the calls of stable_token with force_refresh.
type forcedRefreshes struct {
	day   string
	count int
	last  time.Time
}

type accessTokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// isLasting reports whether the credential is handed out again: in its last 5 minutes it is not.
func (c *apiCredential) isLasting(now time.Time) bool {
	return c != nil && c.expires.Sub(now) >= overlap
}

// secondsLeft returns the seconds until the credential expires.
func (c *apiCredential) secondsLeft(now time.Time) int {
	return int(c.expires.Sub(now) / time.Second)
}

// checkToken returns the errcode for an access_token, or 0 if it is valid. The caller holds mu.
func (s *apiStore) checkToken(value string, now time.Time) (errcode int) {
	t := s.tokens.get(value)
	switch {
	case value == "":
		return 41001
	case t == nil:
		return 40001
	case now.Before(t.expires):
		return 0
	case t.replaced:
		return 40001
	}
	return 42001
}

// issueToken makes a new access_token. The caller holds mu.
func (s *apiStore) issueToken(stable bool, now time.Time) *apiCredential {
	t := &apiCredential{value: newToken(), expires: now.Add(tokenLife), stable: stable}
	s.tokens.put(t.value, t)
	return t
}

// forceRefresh ends the stable tokens, so that a new one is made. More often than WeChat allows, it does nothing. The caller
// holds mu.
func (s *apiStore) forceRefresh(now time.Time) {
	f := &s.forced
	if today := beijingDay(now); f.day != today {
		f.day, f.count = today, 0
	}
	if f.count >= forcedADay || !f.last.IsZero() && now.Sub(f.last) < forcedApart {
		return
	}
	f.count++
	f.last = now
	for value, t := range s.tokens.values {
		if t.stable {
			delete(s.tokens.values, value)
		}
	}
	s.stable = nil
}

// stableToken is /cgi-bin/stable_token.
func (acc *account) stableToken(c *apiCall) callResult {
	var grantType, appID, secret string
	var force bool
	if !c.body.readValue("grant_type", &grantType) || !c.body.readValue("appid", &appID) ||
		!c.body.readValue("secret", &secret) || !c.body.readValue("force_refresh", &force) {
		return refusedResult(47001)
	}
	if errcode := acc.checkCredentials(grantType, appID, secret); errcode != 0 {
		return refusedResult(errcode)
	}
	if force {
		acc.api.forceRefresh(c.now)
	}
	if !acc.api.stable.isLasting(c.now) {
		acc.api.stable = acc.api.issueToken(true, c.now)
	}
	return callResult{answer: accessTokenAnswer{acc.api.stable.value, acc.api.stable.secondsLeft(c.now)}}
}

// plainToken is /cgi-bin/token: each call makes a new token, and leaves the old one 5 minutes.
func (acc *account) plainToken(c *apiCall) callResult {
	if errcode := acc.checkCredentials(c.query.Get("grant_type"), c.query.Get("appid"), c.query.Get("secret")); errcode != 0 {
		return refusedResult(errcode)
	}
	if old := acc.api.plain; old != nil && c.now.Before(old.expires) {
		old.replaced = true
		if end := c.now.Add(overlap); end.Before(old.expires) {
			old.expires = end
		}
	}
	acc.api.plain = acc.api.issueToken(false, c.now)
	return callResult{answer: accessTokenAnswer{acc.api.plain.value, acc.api.plain.secondsLeft(c.now)}}
}

// checkCredentials returns the errcode for an account's credentials, or 0 if they are right.
func (acc *account) checkCredentials(grantType, appID, secret string) (errcode int) {
	switch {
	case appID == "":
		return 41002
	case secret == "":
		return 41004
	case grantType != "client_credential":
		return 40002
	case appID != acc.settings.AppID:
		return 40013
	case secret != acc.settings.AppSecret:
		return 40125
	case acc.api.refuseIP:
		return 40164
	}
	return 0
}

// jsapiTicket is /cgi-bin/ticket/getticket.
func (acc *account) jsapiTicket(c *apiCall) callResult {
	if c.query.Get("type") != "jsapi" {
		return refusedResult(40035)
	}
	if !acc.api.ticket.isLasting(c.now) {
		acc.api.ticket = &apiCredential{value: rand.Text() + rand.Text(), expires: c.now.Add(tokenLife)}
	}
	return callResult{answer: struct {
		errorAnswer
		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"`
	}{errorAnswer{0, "ok"}, acc.api.ticket.value, acc.api.ticket.secondsLeft(c.now)}}
}
