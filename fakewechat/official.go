package fakewechat

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// maxAccounts is how many accounts a Platform has at most.
const maxAccounts = 20

// official is an official account of the platform, with what WeChat knows of its users, codes and tokens.
type official struct {
	platform *Platform
	account  Account
	sender   *Sender // nil without a gateway
	api      *apiStore
	oauth    *oauthStore
}

// newOfficial returns an account that nobody has used.
func (p *Platform) newOfficial(a Account, gateway string) *official {
	o := &official{platform: p, api: newAPIStore(), oauth: newOAuthStore()}
	for _, c := range accountCalls() {
		o.api.quota.daily[c.path] = c.daily
	}
	return o.with(a, gateway)
}

// with returns the same account with other settings.
func (o *official) with(a Account, gateway string) *official {
	changed := *o
	changed.account, changed.sender = a, nil
	if gateway != "" {
		changed.sender = &Sender{URL: gateway, Account: a, Now: o.platform.now, Platform: o.platform}
	}
	return &changed
}

// Put adds an account, whose callbacks go to a gateway's URL ("": to none), or changes the one that has its AppID. The
// error tells what is wrong with it. Reset forgets what was added.
func (p *Platform) Put(a Account, gateway string) error {
	var errs []error
	if a.AppID == "" {
		errs = append(errs, errors.New("the AppID is missing"))
	}
	if a.OriginalID == "" {
		errs = append(errs, errors.New("the original id (gh_…) is missing"))
	}
	if _, err := a.Validate(); err != nil {
		errs = append(errs, err)
	}
	if gateway != "" {
		if _, err := (&Sender{URL: gateway}).target(""); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.accounts, func(o *official) bool { return o.account.AppID == a.AppID })
	if same := slices.IndexFunc(p.accounts, func(o *official) bool { return o.account.originalID() == a.OriginalID }); same >= 0 && same != i {
		return fmt.Errorf("the original id is that of the account %s", p.accounts[same].account.AppID)
	}
	switch {
	case i >= 0:
		p.accounts[i] = p.accounts[i].with(a, gateway)
	case len(p.accounts) == maxAccounts:
		return fmt.Errorf("there are %d accounts already, which is the most", maxAccounts)
	default:
		p.accounts = append(p.accounts, p.newOfficial(a, gateway))
	}
	return nil
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

// named returns the account with an original id, which callbacks are for.
func (p *Platform) named(originalID string) *official {
	return p.which(func(o *official) bool { return o.account.originalID() == originalID })
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
