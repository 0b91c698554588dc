package login

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxReturnTo is the longest return address, in bytes: it is part of redirect_uri.
const maxReturnTo = 1024

// isAllowedReturn reports whether a login may lead to an address: a path of this site, or a page of one of the hosts. It rejects
// everything that browsers parse differently from Go: backslashes, control characters, a second slash at the start.
func isAllowedReturn(to string, hosts []string) bool {
	if to == "" || len(to) > maxReturnTo {
		return false
	}
	for _, c := range []byte(to) {
		if c <= ' ' || c == '\\' || c >= 0x7F {
			return false
		}
	}
	u, err := url.Parse(to)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	if strings.HasPrefix(to, "/") {
		return !strings.HasPrefix(to, "//") && u.Scheme == "" && u.Host == "" && !strings.HasPrefix(u.Path, "//") && !strings.Contains(u.Path, `\`)
	}
	return (strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "http://")) && slices.Contains(hosts, u.Host)
}

// escapeReturn escapes the characters of a return address that are not ASCII, as browsers do: people write them unescaped, and a
// Location header cannot contain them.
func escapeReturn(to string) string {
	if !utf8.ValidString(to) {
		return to // isAllowedReturn rejects it
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

// mayReturnTo reports whether a login may lead to an address: it must be allowed, and not be a page of the login, which would start the
// next login, or a logout.
func (s *loginServer) mayReturnTo(to string) bool {
	if !isAllowedReturn(to, s.returnHosts) {
		return false
	}
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	if u.Host != "" && u.Scheme+"://"+u.Host != s.publicURL {
		return true
	}
	clean := path.Clean("/" + u.Path)
	return clean == userinfoPath || clean != "/oauth" && !strings.HasPrefix(clean, loginRoot)
}
