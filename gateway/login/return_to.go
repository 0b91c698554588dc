package login

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxReturnTo is the longest return address, in bytes: it travels in a URL.
const maxReturnTo = 1024

// allowedReturn tells whether a login may lead to target: a path of our own, or a page of one of the hosts. What
// browsers read otherwise than Go does is refused: backslashes, control characters, a second slash at the start.
func allowedReturn(target string, hosts []string) bool {
	if target == "" || len(target) > maxReturnTo {
		return false
	}
	for _, c := range []byte(target) {
		if c <= ' ' || c == '\\' || c >= 0x7F {
			return false
		}
	}
	u, err := url.Parse(target)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	if strings.HasPrefix(target, "/") {
		return !strings.HasPrefix(target, "//") && u.Scheme == "" && u.Host == "" && !strings.HasPrefix(u.Path, "//") && !strings.Contains(u.Path, `\`)
	}
	return (strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "http://")) && slices.Contains(hosts, u.Host)
}

// escapeReturn returns a return address with its characters beyond ASCII escaped, as browsers do it: people write addresses as
// they read them, and a Location header has no other way to say them.
func escapeReturn(to string) string {
	if !utf8.ValidString(to) {
		return to // no address
	}
	var b strings.Builder
	for i := range len(to) {
		if c := to[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// mayReturnTo reports whether a login may lead to an address: one that is allowed, and no page of the login itself, which would be a loop, or a
// logout at once.
func (o *oauth) mayReturnTo(to string) bool {
	if !allowedReturn(to, o.returnHosts) {
		return false
	}
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	if u.Host != "" && u.Scheme+"://"+u.Host != o.publicURL {
		return true
	}
	clean := path.Clean("/" + u.Path)
	return clean == userinfoPath || clean != "/oauth" && !strings.HasPrefix(clean, loginRoot)
}
