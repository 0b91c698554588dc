package fakewechat

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"wxgate/fakewechat/sender"
)

const (
	maxAccounts = 20
	maxSetting  = 1000 // bytes of each part of an account
)

// official is an official account of the platform, with what WeChat knows of its users, codes and tokens.
type official struct {
	platform *Platform
	account  sender.Account
	sender   *sender.Sender // nil without a gateway
	api      *apiStore
	oauth    *oauthStore
}

// newOfficial returns an account that nobody has used.
func (p *Platform) newOfficial(a sender.Account, gateway string) *official {
	o := &official{platform: p, api: newAPIStore(), oauth: newOAuthStore()}
	for _, c := range accountCalls() {
		o.api.quota.daily[c.path] = c.daily
	}
	return o.with(a, gateway)
}

// with returns the same account with other settings.
func (o *official) with(a sender.Account, gateway string) *official {
	changed := *o
	changed.account, changed.sender = a, nil
	if gateway != "" {
		changed.sender = &sender.Sender{URL: gateway, Account: a, Now: o.platform.now}
	}
	return &changed
}

// Put adds an account, whose callbacks go to a gateway's URL ("": to none), or changes the one that has its AppID. The
// error tells what is wrong with it. Reset forgets what was added.
func (p *Platform) Put(a sender.Account, gateway string) error {
	if wrong := checkAccount(a, gateway); len(wrong) > 0 {
		return wrong
	}
	if err := p.put(a, gateway); err != nil {
		return err
	}
	p.chat.meet(talker{a.AppID, sender.User})
	p.chat.tellAccounts(p.shown)
	return nil
}

func (p *Platform) put(a sender.Account, gateway string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.accounts, func(o *official) bool { return o.account.AppID == a.AppID })
	same := slices.IndexFunc(p.accounts, func(o *official) bool { return o.account.ReceiverID() == a.OriginalID })
	switch {
	case same >= 0 && same != i:
		return wrongAccount{{"original_id", sender.Because("this is the original id of the account %s", p.accounts[same].account.AppID)}}
	case i >= 0:
		p.accounts[i] = p.accounts[i].with(a, gateway)
	case len(p.accounts) == maxAccounts:
		return sender.Because("there are %d accounts, and no more than that", maxAccounts)
	default:
		p.accounts = append(p.accounts, p.newOfficial(a, gateway))
	}
	return nil
}

// wrongAccount tells what is wrong with an account, by the names of an accountForm.
type wrongAccount []wrongSetting

type wrongSetting struct {
	name string
	why  *sender.Reason
}

// Error implements error.
func (w wrongAccount) Error() string {
	var all []string
	for _, f := range w {
		all = append(all, f.name+": "+f.why.Error())
	}
	return strings.Join(all, "; ")
}

// checkAccount returns the errors in an account's settings.
func checkAccount(a sender.Account, gateway string) (wrong wrongAccount) {
	for _, f := range []struct {
		name, value string
		needed      bool
	}{
		{"app_id", a.AppID, true}, {"original_id", a.OriginalID, true}, {"token", a.Token, true},
		{"aes_key", a.AESKey, false}, {"app_secret", a.AppSecret, false}, {"gateway", gateway, false}, {"web_domain", a.WebDomain, false},
	} {
		switch {
		case f.needed && f.value == "":
			wrong = append(wrong, wrongSetting{f.name, sender.Because("this is missing")})
		case len(f.value) > maxSetting:
			wrong = append(wrong, wrongSetting{f.name, sender.Because("this is longer than %d bytes", maxSetting)})
		case strings.ContainsFunc(f.value, func(r rune) bool { return r <= ' ' || r == 0x7F }):
			wrong = append(wrong, wrongSetting{f.name, sender.Because("this has blanks or control characters")})
		}
	}
	if gateway != "" {
		if _, err := (&sender.Sender{URL: gateway}).CallbackURL(""); err != nil {
			wrong = append(wrong, wrongSetting{"gateway", sender.Because("%v", err)})
		}
	}
	if strings.ContainsAny(a.WebDomain, "/:?#@") {
		wrong = append(wrong, wrongSetting{"web_domain", sender.Because("this must be a host alone, such as %s", "www.example.com")})
	}
	switch _, err := a.Validate(); {
	case err == nil:
	case !slices.Contains([]sender.Mode{"", sender.Plain, sender.Compat, sender.Safe}, a.Mode):
		wrong = append(wrong, wrongSetting{"mode", sender.Because("this must be plain, compat or safe")})
	case a.AppID != "": // without one no key is good
		wrong = append(wrong, wrongSetting{"aes_key", sender.Because("this must be 43 letters or digits")})
	}
	return wrong
}

// all returns the accounts, the Config's first.
func (p *Platform) all() []*official {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.accounts)
}

// which returns the first account that is so, or where none is the Config's.
func (p *Platform) which(is func(o *official) bool) *official {
	all := p.all()
	return all[max(0, slices.IndexFunc(all, is))]
}

// of returns the account with an AppID; the Config's for "" and for one that nobody has.
func (p *Platform) of(appID string) *official {
	return p.which(func(o *official) bool { return o.account.AppID == appID })
}

// asked returns the account that somebody means by an AppID, the Config's for "".
func (p *Platform) asked(appID string) (*official, error) {
	o := p.of(appID)
	if appID != "" && o.account.AppID != appID {
		return nil, fmt.Errorf("no account has the AppID %q", sender.Clip(appID, 40))
	}
	return o, nil
}

// named returns the account with an original id, which callbacks are for.
func (p *Platform) named(originalID string) *official {
	return p.which(func(o *official) bool { return o.account.ReceiverID() == originalID })
}

// knows returns the account that a user belongs to.
func (p *Platform) knows(openid string) *official {
	return p.which(func(o *official) bool {
		o.api.mu.Lock()
		defer o.api.mu.Unlock()
		return o.api.users.get(openid) != nil
	})
}

// called returns the account that an API call is for: the one that its access_token is of, else that of the appid in its
// query or body.
func (p *Platform) called(q url.Values, appID string) *official {
	token := q.Get("access_token")
	if token == "" {
		return p.of(cmp.Or(q.Get("appid"), appID))
	}
	return p.which(func(o *official) bool { return o.api.issued(token) || o.oauth.issued(token) })
}

func (s *apiStore) issued(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.get(token) != nil
}

func (s *oauthStore) issued(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access.get(token) != nil
}
