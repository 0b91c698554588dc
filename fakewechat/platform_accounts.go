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
	maxSetting  = 1000 // bytes of each setting
)

// account is an official account of the platform: its settings, users, codes and tokens.
type account struct {
	platform *Platform
	settings sender.Account
	sender   *sender.Sender // nil without a gateway
	api      *apiStore
	oauth    *oauthStore
}

// newAccount returns an account without users and tokens.
func (p *Platform) newAccount(a sender.Account, gateway string) *account {
	acc := &account{platform: p, api: newAPIStore(), oauth: newOAuthStore()}
	for _, c := range accountCalls() {
		acc.api.quota.daily[c.path] = c.daily
	}
	return acc.withSettings(a, gateway)
}

// withSettings returns the same account with other settings.
func (acc *account) withSettings(a sender.Account, gateway string) *account {
	changed := *acc
	changed.settings, changed.sender = a, nil
	if gateway != "" {
		changed.sender = &sender.Sender{URL: gateway, Account: a, Now: acc.platform.now}
	}
	return &changed
}

// Put adds an account, whose callbacks go to a gateway's URL ("": there is none), or changes the account with the same AppID.
// The error lists the invalid settings. Reset removes added accounts.
func (p *Platform) Put(a sender.Account, gateway string) error {
	if wrong := checkAccount(a, gateway); len(wrong) > 0 {
		return wrong
	}
	if err := p.putAccount(a, gateway); err != nil {
		return err
	}
	p.chat.meetUser(chatUserKey{a.AppID, sender.User})
	p.chat.sendAccounts(p.shownAccounts)
	return nil
}

func (p *Platform) putAccount(a sender.Account, gateway string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.accounts, func(acc *account) bool { return acc.settings.AppID == a.AppID })
	same := slices.IndexFunc(p.accounts, func(acc *account) bool { return acc.settings.ReceiverID() == a.OriginalID })
	switch {
	case same >= 0 && same != i:
		return accountProblems{{"original_id", sender.Because("this is the original id of the account %s", p.accounts[same].settings.AppID)}}
	case i >= 0:
		p.accounts[i] = p.accounts[i].withSettings(a, gateway)
	case len(p.accounts) == maxAccounts:
		return sender.Because("there are %d accounts, and no more than that", maxAccounts)
	default:
		p.accounts = append(p.accounts, p.newAccount(a, gateway))
	}
	return nil
}

// accountProblems lists the invalid settings of an account, by the names of an accountForm.
type accountProblems []settingProblem

type settingProblem struct {
	name string
	why  *sender.Reason
}

// Error implements error.
func (w accountProblems) Error() string {
	var all []string
	for _, f := range w {
		all = append(all, f.name+": "+f.why.Error())
	}
	return strings.Join(all, "; ")
}

// checkAccount returns the errors in an account's settings.
func checkAccount(a sender.Account, gateway string) (wrong accountProblems) {
	for _, f := range []struct {
		name, value string
		needed      bool
	}{
		{"app_id", a.AppID, true}, {"original_id", a.OriginalID, true}, {"token", a.Token, true},
		{"aes_key", a.AESKey, false}, {"app_secret", a.AppSecret, false}, {"gateway", gateway, false}, {"web_domain", a.WebDomain, false},
	} {
		switch {
		case f.needed && f.value == "":
			wrong = append(wrong, settingProblem{f.name, sender.Because("this is missing")})
		case len(f.value) > maxSetting:
			wrong = append(wrong, settingProblem{f.name, sender.Because("this is longer than %d bytes", maxSetting)})
		case strings.ContainsFunc(f.value, func(r rune) bool { return r <= ' ' || r == 0x7F }):
			wrong = append(wrong, settingProblem{f.name, sender.Because("this has blanks or control characters")})
		}
	}
	if gateway != "" {
		if _, err := (&sender.Sender{URL: gateway}).CallbackURL(""); err != nil {
			wrong = append(wrong, settingProblem{"gateway", sender.Because("%v", err)})
		}
	}
	if strings.ContainsAny(a.WebDomain, "/:?#@") {
		wrong = append(wrong, settingProblem{"web_domain", sender.Because("this must be a host alone, such as %s", "www.example.com")})
	}
	switch _, err := a.Validate(); {
	case err == nil:
	case !slices.Contains([]sender.Mode{"", sender.Plain, sender.Compat, sender.Safe}, a.Mode):
		wrong = append(wrong, settingProblem{"mode", sender.Because("this must be plain, compat or safe")})
	case a.AppID != "": // without an AppID no key is valid
		wrong = append(wrong, settingProblem{"aes_key", sender.Because("this must be 43 letters or digits")})
	}
	return wrong
}

// allAccounts returns the accounts, the Config's first.
func (p *Platform) allAccounts() []*account {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.accounts)
}

// firstAccount returns the first account for which is returns true, else the Config's account.
func (p *Platform) firstAccount(is func(acc *account) bool) *account {
	all := p.allAccounts()
	return all[max(0, slices.IndexFunc(all, is))]
}

// accountByAppID returns the account with an AppID, else the Config's account.
func (p *Platform) accountByAppID(appID string) *account {
	return p.firstAccount(func(acc *account) bool { return acc.settings.AppID == appID })
}

// requireAccount returns the account with an AppID, and the Config's account for "". An unknown AppID is an error.
func (p *Platform) requireAccount(appID string) (*account, error) {
	acc := p.accountByAppID(appID)
	if appID != "" && acc.settings.AppID != appID {
		return nil, fmt.Errorf("no account has the AppID %q", sender.Clip(appID, 40))
	}
	return acc, nil
}

// accountByOriginalID returns the account with an original id, the ToUserName of callbacks, else the Config's account.
func (p *Platform) accountByOriginalID(originalID string) *account {
	return p.firstAccount(func(acc *account) bool { return acc.settings.ReceiverID() == originalID })
}

// accountOfUser returns the first account that knows a user, else the Config's account.
func (p *Platform) accountOfUser(openid string) *account {
	return p.firstAccount(func(acc *account) bool {
		acc.api.mu.Lock()
		defer acc.api.mu.Unlock()
		return acc.api.users.get(openid) != nil
	})
}

// accountOfCall returns the account of an API call: the one that issued its access_token; without a token, the one with the
// appid in the query or body.
func (p *Platform) accountOfCall(q url.Values, appID string) *account {
	token := q.Get("access_token")
	if token == "" {
		return p.accountByAppID(cmp.Or(q.Get("appid"), appID))
	}
	return p.firstAccount(func(acc *account) bool { return acc.api.hasIssued(token) || acc.oauth.hasIssued(token) })
}

func (s *apiStore) hasIssued(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.get(token) != nil
}

func (s *oauthStore) hasIssued(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access.get(token) != nil
}
