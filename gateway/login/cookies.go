package login

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// hostPrefix at the start of a cookie's name has browsers take it from this host alone, over TLS: hosts beside or below it
// cannot set one (RFC 6265bis, 4.1.3.2).
const hostPrefix = "__Host-"

// cookieName returns the name that a cookie has in this request's browser.
func (o *oauth) cookieName(r *http.Request, name string) string {
	if o.secure(r) {
		return hostPrefix + name
	}
	return name
}

// cookiesOf returns the cookies of our own whose names begin so. There may be several of one name, from other hosts and paths.
func (o *oauth) cookiesOf(r *http.Request, prefix string) []*http.Cookie {
	prefix = o.cookieName(r, prefix)
	return slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, prefix) })
}

// setCookie sets a cookie that scripts and other sites do not get, for a path and below; a life below 0 removes it. name is as
// the browser has it.
func (o *oauth) setCookie(w http.ResponseWriter, r *http.Request, name, value, path string, life time.Duration) {
	if strings.HasPrefix(name, hostPrefix) {
		path = "/" // else browsers refuse it
	}
	age := int(life.Seconds())
	if life < 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: age,
		HttpOnly: true, Secure: o.secure(r), SameSite: http.SameSiteLaxMode,
	})
}
