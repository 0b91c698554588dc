package fakewechat

import "fmt"

// callCount is how often a path was called, and how its next calls fail.
type callCount struct {
	count   int
	failing int // how many more
	errcode int
}

// Calls returns how many calls of an API path came, refused ones too. It panics for a path that is no API call's.
func (p *Platform) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.callsOf(path).count
}

// Fail makes the next n calls of an API path fail with an errcode that is not 0, before anything else is looked at;
// with n 0 no more fail. It panics for a path that is no API call's.
func (p *Platform) Fail(path string, n, errcode int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callsOf(path)
	c.failing, c.errcode = n, errcode
}

// callsOf panics for a typing mistake, which would else make a test of nothing. The caller holds mu.
func (p *Platform) callsOf(path string) *callCount {
	c := p.calls[path]
	if c == nil {
		panic(fmt.Sprintf("fakewechat: %q is no path of an API call", path))
	}
	return c
}

// countCall counts a call and returns the errcode with which it shall fail, else 0.
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

// ExpireToken ends the accounts' access_tokens of both families now, as if their time were over: their next use is
// answered 42001, and the next call for a token makes a new one.
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

// RefuseIP says whether the calls for a token are answered 40164, as to an address that is not in the accounts' lists.
func (p *Platform) RefuseIP(refuse bool) {
	for _, acc := range p.allAccounts() {
		acc.api.mu.Lock()
		acc.api.refuseIP = refuse
		acc.api.mu.Unlock()
	}
}

// Reset makes the Platform as it was at first: users, tokens, messages, counts, accounts that were added and what should
// fail are forgotten, and the account and the faults are those of its Config.
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
