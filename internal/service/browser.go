package service

import (
	"log/slog"
	"net/http"

	"wxgate/internal/rebinding"
)

// The reasons to reject a request that a page made a browser send. The log and the response show them.
const (
	crossSite   = "a page of another site sent this request"
	foreignHost = "this host name could belong to a stranger: call this address by its IP address or as localhost, or set --internal-key"
)

// refusePages rejects requests that a stranger's page in a browser on this machine can send to an internal address, on all its
// paths: writes from another origin, requests from another site and, if ownHosts, requests to a host name that a stranger
// can own. Probes and monitors send no such requests.
func refusePages(log *slog.Logger, ownHosts bool, next http.Handler) http.Handler {
	cause := func(text string) http.Handler {
		return LogRequests(log, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			LineOf(r.Context()).Add(slog.String("cause", text))
			http.Error(w, text, http.StatusForbidden)
		}))
	}
	foreign, cross := cause(foreignHost), cause(crossSite)
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(cross)
	protected := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case ownHosts && rebinding.ForeignHost(r.Host):
			foreign.ServeHTTP(w, r)
		case r.Header.Get("Sec-Fetch-Site") == "cross-site": // the protection lets such a GET pass
			cross.ServeHTTP(w, r)
		default:
			protected.ServeHTTP(w, r)
		}
	})
}
