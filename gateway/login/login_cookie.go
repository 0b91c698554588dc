package login

import (
	"cmp"
	"net/http"
	"slices"
)

const (
	// loginCookie, with the first digits of a state behind it, is the cookie that holds the state of a login. A browser may
	// have several logins under way.
	loginCookie = "wxgate_login"
	// maxLogins is how many logins a browser has cookies of; the oldest are removed for a new one.
	maxLogins = 5
	// loginRoot is the path that login cookies are for.
	loginRoot = "/oauth/"
)

// loginName returns the name of a login's cookie, without the prefix that cookieName gives it.
func loginName(state string) string { return loginCookie + "_" + state[:8] }

// keepLogin gives the browser the cookie of a login that begins.
func (o *oauth) keepLogin(w http.ResponseWriter, r *http.Request, state string) {
	kept := o.cookiesOf(r, loginCookie+"_")
	slices.SortStableFunc(kept, func(a, b *http.Cookie) int { return cmp.Compare(stateExpiry(b.Value), stateExpiry(a.Value)) })
	for i, c := range kept {
		if i >= maxLogins-1 {
			o.setCookie(w, r, c.Name, "", loginRoot, -1)
		}
	}
	o.setCookie(w, r, o.cookieName(r, loginName(state)), state, loginRoot, stateLife)
}

// isOwnLogin reports whether the browser has the cookie of this login.
func (o *oauth) isOwnLogin(r *http.Request, state string) bool {
	return slices.ContainsFunc(o.cookiesOf(r, loginName(state)), func(c *http.Cookie) bool { return c.Value == state })
}
