package gateway

import (
	"net/http"
	"strings"
)

// ignoreSlashes serves paths with doubled slashes, or a slash at the end, like the paths without: they are an easy mistake in the
// console's URL or in a proxy's rule, and WeChat does not follow redirects.
func ignoreSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := singleSlashes(r.URL.Path); path != r.URL.Path {
			url := *r.URL
			url.Path, url.RawPath = path, ""
			r = r.WithContext(r.Context()) // a copy: the log shows the original path
			r.URL = &url
		}
		next.ServeHTTP(w, r)
	})
}

// singleSlashes returns a path without empty segments.
func singleSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}
