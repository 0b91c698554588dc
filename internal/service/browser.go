package service

import (
	"log/slog"
	"net/http"

	"wxgate/internal/rebinding"
)

// Why a request that a browser was made to send is refused: for the log, and for whoever sent it by mistake.
const (
	crossSite   = "a page of another site sent this request"
	foreignHost = "a stranger's name could point here: call this address by its IP address or as localhost, or set --internal-key"
)

// refusePages refuses what a page of a stranger in a browser on this machine can ask of an internal address, on each of
// its paths: writes from another origin, anything from another site and, if ownHosts, whatever is not addressed to this
// machine by a name that is nobody else's. Probes and monitors send nothing of the kind.
func refusePages(log *slog.Logger, ownHosts bool, next http.Handler) http.Handler {
	cause := func(text string) http.Handler {
		return Handle(log, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
