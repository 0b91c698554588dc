package gateway

import (
	"net/http"
	"strings"
)

// ignoreSlashes serves a path with slashes too many, doubled or at its end, as the one without: a console's URL and a
// front's rule get them easily, and WeChat follows no redirect.
func ignoreSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := singleSlashes(r.URL.Path); path != r.URL.Path {
			url := *r.URL
			url.Path, url.RawPath = path, ""
			r = r.WithContext(r.Context()) // a copy: the log has the path as it came
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
