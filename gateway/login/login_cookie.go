package login

import (
	"cmp"
	"net/http"
	"slices"
)

const (
	// loginCookie, followed by the first digits of a state, names the cookie that holds the state of a login. A browser may have
	// several logins in progress.
	loginCookie = "wxgate_login"
	// maxLogins is the number of login cookies that a browser keeps; a new login removes the oldest.
	maxLogins = 5
	// loginRoot is the path of login cookies.
	loginRoot = "/oauth/"
)

// loginCookieName returns the name of a login's cookie, without the prefix that cookieName gives it.
func loginCookieName(state string) string { return loginCookie + "_" + state[:8] }

// setLoginCookie sets the cookie of a login that starts.
func (s *loginServer) setLoginCookie(w http.ResponseWriter, r *http.Request, state string) {
	kept := s.cookiesOf(r, loginCookie+"_")
	slices.SortStableFunc(kept, func(a, b *http.Cookie) int { return cmp.Compare(stateExpiry(b.Value), stateExpiry(a.Value)) })
	for i, c := range kept {
		if i >= maxLogins-1 {
			s.setCookie(w, r, c.Name, "", loginRoot, -1)
		}
	}
	s.setCookie(w, r, s.cookieName(r, loginCookieName(state)), state, loginRoot, stateLife)
}

// isOwnLogin reports whether the browser has the cookie of the login with this state.
func (s *loginServer) isOwnLogin(r *http.Request, state string) bool {
	return slices.ContainsFunc(s.cookiesOf(r, loginCookieName(state)), func(c *http.Cookie) bool { return c.Value == state })
}
