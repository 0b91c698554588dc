package login

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// hostPrefix at the start of a cookie's name makes browsers accept it only from this host, over TLS: neighbouring hosts and
// sub-domains cannot set one (RFC 6265bis, 4.1.3.2).
const hostPrefix = "__Host-"

// cookieName returns the name of a cookie in the request's browser, with hostPrefix over TLS.
func (s *loginServer) cookieName(r *http.Request, name string) string {
	if s.isSecure(r) {
		return hostPrefix + name
	}
	return name
}

// cookiesOf returns the cookies with a prefix. There may be several of one name, set by other hosts and for other paths.
func (s *loginServer) cookiesOf(r *http.Request, prefix string) []*http.Cookie {
	prefix = s.cookieName(r, prefix)
	return slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, prefix) })
}

// setCookie sets a cookie for a path, hidden from scripts and other sites; a negative life removes it. name is the browser's name, see
// cookieName.
func (s *loginServer) setCookie(w http.ResponseWriter, r *http.Request, name, value, path string, life time.Duration) {
	if strings.HasPrefix(name, hostPrefix) {
		path = "/" // else browsers reject it
	}
	age := int(life.Seconds())
	if life < 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: age,
		HttpOnly: true, Secure: s.isSecure(r), SameSite: http.SameSiteLaxMode,
	})
}
