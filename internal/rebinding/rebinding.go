// Package rebinding recognizes DNS rebinding: a site whose name was made to point to this machine. To a browser, the
// pages of that site and what listens here are of one origin.
package rebinding

import (
	"net"
	"net/netip"
	"strings"
)

// ForeignHost reports whether a stranger can own the name in a request's Host, with or without a port. Addresses,
// localhost, names of one label, which the public DNS gives to nobody, and the "" of a client that is not a browser are
// not foreign.
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
