package oauthsvc

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestBackupHost: a host that fails is left for the other one; one that refuses is not.
func TestBackupHost(t *testing.T) {
	for name, tt := range map[string]struct {
		answer    http.HandlerFunc // nil: the platform's
		says      []string
		preferred []call // what the hosts were asked
		backup    []call
	}{
		"HTML":      {says("<html>"), nil, []call{checkCall}, []call{checkCall, checkCall}},
		"HTTP 502":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, nil, []call{checkCall}, []call{checkCall, checkCall}},
		"hangs up":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, []call{checkCall}, []call{checkCall, checkCall}},
		"busy once": {nil, []string{refusedWith(-1), ok}, []call{checkCall, checkCall, checkCall}, nil},
		"refuses":   {nil, []string{refusedWith(42001)}, []call{checkCall, checkCall}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			preferred, backup := newPlatform(), newPlatform()
			if tt.says != nil {
				preferred.says(checkCall, tt.says...)
			}
			first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.answer == nil {
					preferred.ServeHTTP(w, r)
					return
				}
				preferred.ServeHTTP(httptest.NewRecorder(), r) // counts
				tt.answer(w, r)
			}))
			t.Cleanup(first.Close)
			second := httptest.NewServer(backup)
			t.Cleanup(second.Close)
			f := startAt(t, first.URL+","+second.URL)
			for range 2 {
				_ = f.do(t.Context(), checkCall)
			}
			preferred.expectCalls(t, tt.preferred...)
			backup.expectCalls(t, tt.backup...)
		})
	}
}
