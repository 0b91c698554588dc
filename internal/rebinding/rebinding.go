// Package rebinding recognizes DNS rebinding: a stranger's name that resolves to this machine. To a browser, the stranger's pages
// and the servers of this machine then have the same origin.
package rebinding

import (
	"net"
	"net/netip"
	"strings"
)

// ForeignHost reports whether a stranger can own the name in a request's Host, with or without a port. Not foreign are addresses,
// localhost, names of one label, which the public DNS does not have, and the "" of a client that is not a browser.
func ForeignHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.Contains(name, ".") && !strings.HasSuffix(name, ".localhost")
}
