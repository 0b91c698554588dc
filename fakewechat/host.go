package fakewechat

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// foreignHost says whether a request is for the page, or what steers the platform, by a name that a stranger can make
// point here: to a browser, that stranger's site would be of one origin with the page (DNS rebinding). Addresses,
// localhost and names of one label, which the public DNS gives to nobody, are not such. What stands in for WeChat's own
// hosts goes by any name: it shows nothing without a secret.
func foreignHost(r *http.Request) bool {
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/fake/") {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil { // no port
		host = r.Host
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.Contains(name, ".") && !strings.HasSuffix(name, ".localhost")
}
