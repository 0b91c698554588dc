package fakewechat

import (
	"net/http"
	"strings"

	"wxgate/internal/rebinding"
)

// foreignHost reports whether a request is for the page, or for what steers the platform, by a name that a stranger can
// make point here. What stands in for WeChat's own hosts goes by any name: it shows nothing without a secret.
func foreignHost(r *http.Request) bool {
	return (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/fake/")) && rebinding.ForeignHost(r.Host)
}
