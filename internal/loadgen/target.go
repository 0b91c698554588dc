package loadgen

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// validateTarget returns the errors in the target of the load. A load on a host without its owner's consent is an attack.
func (c Config) validateTarget() error {
	var errs []error
	for _, host := range c.TestHosts {
		if u, err := url.Parse("http://" + host); err != nil || host == "" || u.Host != host || u.Port() != "" {
			errs = append(errs, fmt.Errorf("--test-hosts: %q; expected a host, such as staging.example.com", host))
		}
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "":
		errs = append(errs, errors.New("the gateway's URL must look like http://127.0.0.1:8000/")) // which may hold a password
	case !c.Anywhere && !isTestHost(u.Hostname(), c.TestHosts):
		errs = append(errs, fmt.Errorf("%s is neither this machine nor a test host: if you may load it, add --test-hosts %[1]s, or --anywhere", u.Hostname()))
	}
	return errors.Join(errs...)
}

// isTestHost reports whether a host is this machine, has a name that is reserved for tests (RFC 6761), or is listed in more.
func isTestHost(host string, more []string) bool {
	if ip, err := netip.ParseAddr(host); err == nil && (ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified()) {
		return true
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	for _, reserved := range []string{"localhost", "test"} {
		if name == "localhost" || strings.HasSuffix(name, "."+reserved) {
			return true
		}
	}
	return slices.ContainsFunc(more, func(h string) bool {
		return strings.EqualFold(strings.Trim(h, "[]"), host) || strings.EqualFold(strings.TrimSuffix(h, "."), name)
	})
}
