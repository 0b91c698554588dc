package fakewechat

import (
	"crypto/rand"
	"time"
)

const (
	overlap     = 5 * time.Minute // how long an old and a new access_token are both good
	forcedADay  = 20
	forcedApart = 30 * time.Second
)

// credential is an access_token of the account, or a ticket. A nil one is none.
type credential struct {
	value    string
	expires  time.Time
	stable   bool // of /cgi-bin/stable_token
	replaced bool // by a newer one of /cgi-bin/token
}

// forced counts the refreshes that stable_token was made to do.
type forced struct {
	day   string
	count int
	last  time.Time
}

type accessTokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// lasting tells whether the credential is given out again: not in its last 5 minutes.
func (c *credential) lasting(now time.Time) bool { return c != nil && c.expires.Sub(now) >= overlap }

// left returns the seconds that remain.
func (c *credential) left(now time.Time) int { return int(c.expires.Sub(now) / time.Second) }

// checkToken returns the errcode for an access_token, 0 for a good one. The caller holds mu.
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

// issue makes a new access_token. The caller holds mu.
func (s *apiStore) issue(stable bool, now time.Time) *credential {
	t := &credential{value: newToken(), expires: now.Add(tokenLife), stable: stable}
	s.tokens.put(t.value, t)
	return t
}

// force ends the stable tokens, so that a new one is made; not more often than WeChat allows. The caller holds mu.
func (s *apiStore) force(now time.Time) {
	f := &s.forced
	if today := day(now); f.day != today {
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
func (o *official) stableToken(c *apiCall) result {
	var grantType, appID, secret string
	var force bool
	if !c.body.read("grant_type", &grantType) || !c.body.read("appid", &appID) ||
		!c.body.read("secret", &secret) || !c.body.read("force_refresh", &force) {
		return refused(47001)
	}
	if errcode := o.authenticate(grantType, appID, secret); errcode != 0 {
		return refused(errcode)
	}
	if force {
		o.api.force(c.now)
	}
	if !o.api.stable.lasting(c.now) {
		o.api.stable = o.api.issue(true, c.now)
	}
	return result{answer: accessTokenAnswer{o.api.stable.value, o.api.stable.left(c.now)}}
}

// plainToken is /cgi-bin/token: each call makes a new one, and leaves the old one 5 minutes.
func (o *official) plainToken(c *apiCall) result {
	if errcode := o.authenticate(c.query.Get("grant_type"), c.query.Get("appid"), c.query.Get("secret")); errcode != 0 {
		return refused(errcode)
	}
	if old := o.api.plain; old != nil && c.now.Before(old.expires) {
		old.replaced = true
		if end := c.now.Add(overlap); end.Before(old.expires) {
			old.expires = end
		}
	}
	o.api.plain = o.api.issue(false, c.now)
	return result{answer: accessTokenAnswer{o.api.plain.value, o.api.plain.left(c.now)}}
}

// authenticate returns the errcode for an account's credentials, 0 for good ones.
func (o *official) authenticate(grantType, appID, secret string) (errcode int) {
	switch {
	case appID == "":
		return 41002
	case secret == "":
		return 41004
	case grantType != "client_credential":
		return 40002
	case appID != o.account.AppID:
		return 40013
	case secret != o.account.AppSecret:
		return 40125
	case o.api.refuseIP:
		return 40164
	}
	return 0
}

// jsapiTicket is /cgi-bin/ticket/getticket.
func (o *official) jsapiTicket(c *apiCall) result {
	if c.query.Get("type") != "jsapi" {
		return refused(40035)
	}
	if !o.api.ticket.lasting(c.now) {
		o.api.ticket = &credential{value: rand.Text() + rand.Text(), expires: c.now.Add(tokenLife)}
	}
	return result{answer: struct {
		errorAnswer
		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"`
	}{errorAnswer{0, "ok"}, o.api.ticket.value, o.api.ticket.left(c.now)}}
}
