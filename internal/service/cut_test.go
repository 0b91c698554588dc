package service

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text      string
		most      int
		cut, clip string
	}{
		{"", 0, "", ""}, {"abc", 3, "abc", "abc"}, {"abc", 2, "ab", "ab…"}, {"世界", 6, "世界", "世界"}, {"世界", 5, "世", "世…"}, {"世界", 2, "", "…"},
		{"\x80\x80", 1, "", "…"},
	} {
		if cut, clip := CutText(test.text, test.most), ClipText(test.text, test.most); cut != test.cut || clip != test.clip {
			t.Errorf("%q at %d: %q and %q, want %q and %q", test.text, test.most, cut, clip, test.cut, test.clip)
		}
	}
}

// TestFindingsLoggedTextsAreBounded: whatever a stranger sends, a request's line stays short.
func TestFindingsLoggedTextsAreBounded(t *testing.T) {
	const long = 10_000
	var log bytes.Buffer
	handler := LogRequests(slog.New(slog.NewJSONHandler(&log, nil)), false, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		LineOf(r.Context()).Add(slog.String("said", strings.Repeat("世", long)), slog.Int("n", 1))
	}))
	r := httptest.NewRequest(strings.Repeat("M", long), "/"+strings.Repeat("p", long), nil)
	handler.ServeHTTP(httptest.NewRecorder(), r)
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"method", "path", "said"} {
		if got := line[key].(string); len(got) > maxLogged+len("…") || !strings.HasSuffix(got, "…") || strings.Contains(got, "\ufffd") {
			t.Errorf("%s has %d bytes", key, len(got))
		}
	}
}
