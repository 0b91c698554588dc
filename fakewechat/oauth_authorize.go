package fakewechat

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"wxgate/fakewechat/sender"
)

// The scopes of web OAuth ("网页授权").
const (
	scopeBase     = "snsapi_base"
	scopeUserInfo = "snsapi_userinfo"
	scopeLogin    = "snsapi_login"
)

// authRequest holds the parameters of an authorize page.
type authRequest struct {
	AppID, RedirectURI, Scope, State string
	hasState, snapshot               bool
}

// Parameters of the fake, which no site sends.
const (
	fakeUser  = "fake_user"  // the openid that is logged in to WeChat; a cookie remembers it for the account
	fakeAllow = "fake_allow" // "1": the user has pressed "Allow"
)

// ownParameters are the values of the fake's own parameters in a query.
type ownParameters struct {
	user  string // "": no user is chosen
	allow bool
}

// syntaxError is the key of pageErrors for a query that WeChat's pattern does not match.
const syntaxError = 0

// parseAuthorize reads a raw query as strictly as WeChat, which matches it against a pattern, and checks its values. If ok is
// false, errcode is a key of pageErrors.
func (p *Platform) parseAuthorize(rawQuery string, scopes []string) (a authRequest, errcode int, ok bool) {
	names, values, ok := splitQuery(rawQuery)
	if !ok {
		return a, syntaxError, false
	}
	for _, need := range []struct {
		name    string
		errcode int
	}{{"appid", 10012}, {"redirect_uri", 10011}, {"scope", 10010}} {
		if i := slices.Index(names, need.name); i < 0 || values[i] == "" {
			return a, need.errcode, false
		}
	}
	if a, ok = matchAuthorize(names, values); !ok {
		return a, syntaxError, false
	}
	to, err := url.Parse(a.RedirectURI)
	settings := p.accountByAppID(a.AppID).settings
	switch {
	case a.AppID != settings.AppID:
		return a, 40013, false
	case err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" || !mayReturnTo(settings, to):
		return a, 10003, false
	case !slices.Contains(scopes, a.Scope):
		return a, 10005, false
	case a.hasState && !validState(a.State):
		return a, 10013, false
	}
	return a, 0, true
}

// splitQuery returns the names and values of a raw query in their order, or false if it is malformed.
func splitQuery(rawQuery string) (names, values []string, ok bool) {
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, nil, false
		}
		names, values = append(names, name), append(values, value)
	}
	return names, values, true
}

// matchAuthorize takes the parameters in the only order that WeChat accepts, or returns false.
func matchAuthorize(names, values []string) (a authRequest, ok bool) {
	order := []string{"appid", "redirect_uri", "response_type", "scope"}
	if len(names) < len(order) || !slices.Equal(names[:len(order)], order) || values[2] != "code" {
		return a, false
	}
	a.AppID, a.RedirectURI, a.Scope = values[0], values[1], values[3]
	names, values = names[len(order):], values[len(order):]
	if len(names) > 0 && names[0] == "state" {
		a.State, a.hasState = values[0], true
		names, values = names[1:], values[1:]
	}
	for i, name := range names {
		if !slices.Contains([]string{"forcePopup", "forceSnapShot", "connect_redirect"}, name) || slices.Contains(names[:i], name) {
			return a, false
		}
		a.snapshot = a.snapshot || name == "forceSnapShot" && values[i] == "true"
	}
	return a, true
}

// mayReturnTo reports whether a redirect_uri has the account's web authorization domain (platform.md E.1: the same host, no
// sub-domain). Any port is allowed: a site in development rarely has WeChat's 80 or 443.
func mayReturnTo(a sender.Account, to *url.URL) bool {
	return a.WebDomain == "" || strings.EqualFold(a.WebDomain, to.Hostname())
}

func validState(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// authorizeHandler returns the handler of an authorize page: snsapi_base redirects at once, the other scopes ask the user. The
// code is made when the user allows it, so that its five minutes do not begin before.
func (p *Platform) authorizeHandler(scopes ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, own := withoutOwn(r.URL.RawQuery)
		a, errcode, ok := p.parseAuthorize(query, scopes)
		if ok && own.user != "" && !validOpenID(own.user) {
			errcode, ok = noOpenID, false
		}
		if !ok {
			p.refuseLink(w, r, errcode)
			return
		}
		acc := p.accountByAppID(a.AppID)
		user := p.loggedIn(w, r, acc, own.user)
		a.snapshot = a.snapshot && a.Scope == scopeUserInfo
		if a.Scope != scopeBase && !own.allow {
			p.log.Info("fake WeChat authorize page", "path", r.URL.Path, "scope", a.Scope, "outcome", "asks")
			c := consentPage{authRequest: a, OriginalID: acc.settings.ReceiverID(), Refuse: a.returnURL(""), User: user}
			p.askUser(w, r, c, query)
			return
		}
		p.addLogLine(logLine{What: sameInBoth(r.URL.Path), Outcome: inBoth("a code for %s", a.Scope)})
		p.log.Info("fake WeChat authorize page", "path", r.URL.Path, "scope", a.Scope, "outcome", "code")
		http.Redirect(w, r, a.returnURL(acc.oauth.newCode(a.Scope, user.OpenID, a.snapshot, p.now())), http.StatusFound)
	}
}

// withoutOwn splits a raw query into WeChat's parameters, unchanged, and the fake's own.
func withoutOwn(rawQuery string) (query string, own ownParameters) {
	var rest []string
	for part := range strings.SplitSeq(rawQuery, "&") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case fakeUser:
			own.user = value
		case fakeAllow:
			own.allow = value == "1"
		default:
			rest = append(rest, part)
		}
	}
	return strings.Join(rest, "&"), own
}

func validOpenID(s string) bool {
	return s != "" && len(s) <= maxOpenID && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
}

// loggedIn returns the account's user who is logged in: the chosen user, who may be new, else the previous one, else User.
func (p *Platform) loggedIn(w http.ResponseWriter, r *http.Request, acc *account, chosen string) chatUser {
	name := fakeUser + "_" + acc.settings.AppID
	if chosen != "" {
		http.SetCookie(w, &http.Cookie{Name: name, Value: chosen, Path: "/connect/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		return p.chat.meetUser(chatUserKey{acc.settings.AppID, chosen})
	}
	before := sender.User
	if c, err := r.Cookie(name); err == nil {
		before = c.Value
	}
	users := p.chat.usersOf(acc.settings.AppID)
	for _, openid := range []string{before, sender.User} {
		if i := slices.IndexFunc(users, func(u chatUser) bool { return u.OpenID == openid }); i >= 0 {
			return users[i]
		}
	}
	return p.chat.meetUser(chatUserKey{acc.settings.AppID, sender.User})
}

// Nickname returns the user's nickname.
func (u chatUser) Nickname() string {
	if u.OpenID == sender.User {
		return "示例&用户😀"
	}
	return fmt.Sprintf("示例用户%d", u.Number)
}

// Tone returns the color of the user's avatar, as on the chat page.
func (u chatUser) Tone() int { return u.Number % 6 }

// nicknameOf returns the nickname of a user, who may be forgotten.
func (c *chatStore) nicknameOf(is chatUserKey) string {
	for _, u := range c.usersOf(is.Account) {
		if u.OpenID == is.OpenID {
			return u.Nickname()
		}
	}
	return chatUser{chatUserKey: is}.Nickname()
}

// returnURL returns the redirect_uri with code and state, or with state alone if code is empty.
func (a *authRequest) returnURL(code string) string {
	to, fragment, hasFragment := strings.Cut(a.RedirectURI, "#")
	add := func(name, value string) {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + name + "=" + value
	}
	if code != "" {
		add("code", code)
	}
	if a.hasState {
		add("state", a.State)
	}
	if hasFragment {
		to += "#" + fragment
	}
	return to
}
