package login

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the network of a request's client: that of the peer, or if the peer is a proxy in a private network, the one in
// its X-Forwarded-For. known is false if there is no public address. An IPv6 address counts as its /64, which belongs to one client.
func clientAddress(r *http.Request) (network netip.Prefix, known bool) {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return network, false
	}
	addr := peer.Addr().Unmap()
	for _, hop := range slices.Backward(hops) { // each proxy appends its peer
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
