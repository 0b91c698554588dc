package fakewechat

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsPageHearsOfTheGatewaysProblems: of those at the start, and of each change.
func TestFindingsPageHearsOfTheGatewaysProblems(t *testing.T) {
	var report atomic.Value
	report.Store(`{"status":"ready","away":{"replier":"unreachable"},"problems":{"rules":"refused, <b>"}}`)
	address := internal(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "Bearer key of the test" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(http.StatusServiceUnavailable) // as while it drains
		_, _ = fmt.Fprint(w, report.Load())
	})
	s := newSite(t, Config{GatewayInternal: address + "/", InternalKey: "key of the test"})
	t.Cleanup(s.platform.Close)
	page := s.open(t)
	for _, test := range []struct {
		then string // what the gateway reports next
		want []gatewayProblem
	}{
		{`{"status":"ready"}`, []gatewayProblem{{"rules", "refused, <b>"}, {"replier", "unreachable"}}},
		{`not JSON`, []gatewayProblem{}},
	} {
		var got []gatewayProblem
		page.next("problems", &got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		report.Store(test.then)
	}
}

// TestFindingsProblemsAreBounded: a gateway that is none of ours cannot fill the page.
func TestFindingsProblemsAreBounded(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var all []string
		for i := range 20 {
			all = append(all, fmt.Sprintf(`"p%02d":%q`, i, strings.Repeat("世", 1000)))
		}
		fmt.Fprintf(w, `{"problems":{%s}}`, strings.Join(all, ","))
	}))
	t.Cleanup(srv.Close)
	got := newTracer(srv.URL, "").fetchProblems(t.Context())
	if len(got) != maxGatewayProblems || got[0].Name != "p00" || len(got[0].Text) > maxProblemText+len("…") {
		t.Errorf("%d problems, the first has %d bytes", len(got), len(got[0].Text))
	}
	srv.Close()
	if got := newTracer(srv.URL, "").fetchProblems(t.Context()); got != nil {
		t.Errorf("of a gateway that is unreachable: %v", got)
	}
}
