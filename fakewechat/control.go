package fakewechat

import "fmt"

// callCount counts the calls of a path, and says how its next calls fail.
type callCount struct {
	count   int
	failing int // how many more calls
	errcode int
}

// Calls returns the number of calls of an API path, rejected calls included. It panics if no API call has the path.
func (p *Platform) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.callsOf(path).count
}

// Fail makes the next n calls of an API path fail with an errcode that is not 0, before any other check; n = 0 ends it. It
// panics if no API call has the path.
func (p *Platform) Fail(path string, n, errcode int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callsOf(path)
	c.failing, c.errcode = n, errcode
}

// callsOf panics if the path is unknown: with a misspelt path a test would check nothing. The caller holds mu.
func (p *Platform) callsOf(path string) *callCount {
	c := p.calls[path]
	if c == nil {
		panic(fmt.Sprintf("fakewechat: %q is not the path of an API call", path))
	}
	return c
}

// countCall counts a call and returns the errcode with which Fail lets it fail, or 0.
func (p *Platform) countCall(path string) (errcode int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callsOf(path)
	c.count++
	if c.failing <= 0 {
		return 0
	}
	c.failing--
	return c.errcode
}

// ExpireToken ends the accounts' access_tokens of both families now: their next use is answered 42001, and the next call for a
// token makes a new one.
func (p *Platform) ExpireToken() {
	now := p.now()
	for _, acc := range p.allAccounts() {
		acc.api.mu.Lock()
		for _, t := range acc.api.tokens.values {
			if now.Before(t.expires) {
				t.expires = now
			}
		}
		acc.api.mu.Unlock()
	}
}

// RefuseIP sets whether calls for a token are answered 40164, as if the caller's address were not in the accounts' lists.
func (p *Platform) RefuseIP(refuse bool) {
	for _, acc := range p.allAccounts() {
		acc.api.mu.Lock()
		acc.api.refuseIP = refuse
		acc.api.mu.Unlock()
	}
}

// Reset restores the initial state of the Platform: users, tokens, messages, counts, added accounts and pending failures are
// forgotten, and the account and the faults are those of its Config.
func (p *Platform) Reset() {
	p.mu.Lock()
	main := p.accounts[0].withSettings(p.first.Account, p.first.Gateway)
	p.accounts = []*account{main}
	p.mu.Unlock()
	main.api.mu.Lock()
	main.api.apiState = newAPIState(main.api.quota.daily)
	main.api.mu.Unlock()
	main.oauth.mu.Lock()
	main.oauth.oauthState = newOAuthState()
	main.oauth.mu.Unlock()
	p.mu.Lock()
	for _, c := range p.calls {
		*c = callCount{}
	}
	p.logLines = nil
	p.mu.Unlock()
	p.chat.resetChats(main.settings.AppID)
	p.SetFaults(p.initial)
}
