package login

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the network that a request comes from: the peer's, or if that is a front in a private network, the one
// that the front says. known is false if no public address is known. An IPv6 address stands for its /64, which one client has
// all of.
func clientAddress(r *http.Request) (network netip.Prefix, known bool) {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return network, false
	}
	addr := peer.Addr().Unmap()
	for _, hop := range slices.Backward(hops) { // each front appends its own peer
		if !isPrivate(addr) {
			break
		}
		if addr, err = netip.ParseAddr(strings.TrimSpace(hop)); err != nil {
			return network, false
		}
		addr = addr.Unmap()
	}
	if isPrivate(addr) {
		return network, false
	}
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, err = addr.WithZone("").Prefix(bits)
	return network, err == nil
}

func isPrivate(addr netip.Addr) bool {
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast()
}
