package fakewechat

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask makes a call and returns all that came of it.
func (s *site) ask(t *testing.T, path string) (status int, contentType, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b), err
}

// fresh returns a site with faults, whose connections are not used again: a client would try a call anew.
func fresh(t *testing.T, f Faults) *site {
	t.Helper()
	s := newSite(t, Config{Faults: f})
	s.Client().Transport = &http.Transport{DisableKeepAlives: true}
	return s
}

// plainToken returns the latest access_token of /cgi-bin/token, "" for none.
func (s *site) plainToken() string {
	s.platform.accountByAppID("").api.mu.Lock()
	defer s.platform.accountByAppID("").api.mu.Unlock()
	if s.platform.accountByAppID("").api.plain == nil {
		return ""
	}
	return s.platform.accountByAppID("").api.plain.value
}

func TestAPIReset(t *testing.T) {
	s := fresh(t, Faults{APIReset: 1})
	if _, _, body, err := s.ask(t, plainPath+plainQuery); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v", body, err)
	}
	if n := s.platform.Calls(plainPath); n != 1 {
		t.Errorf("%d calls", n)
	}
	s.platform.SetFaults(Faults{})
	if s.plainToken() != "" {
		t.Error("the call was done")
	}
	func() { // a writer without a connection of its own
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // what net/http looks for
				t.Errorf("got %v", p)
			}
		}()
		faultDice{faults: Faults{APIReset: 1}}.answerInstead(httptest.NewRecorder())
	}()
}

func TestAPIHTML(t *testing.T) {
	s := fresh(t, Faults{APIHTML: 1})
	status, contentType, body, err := s.ask(t, plainPath+plainQuery)
	if status != http.StatusBadGateway || contentType != "text/html" || !strings.Contains(body, "<h1>502 Bad Gateway</h1>") || err != nil {
		t.Errorf("got %d, %s, %q, %v", status, contentType, body, err)
	}
	if s.plainToken() != "" {
		t.Error("the call was done")
	}
	if got := s.platform.newestLogLines()[0]; got.What[0] != plainPath || got.Outcome[0] != "fault: api_html" {
		t.Errorf("the page says %+v", got)
	}
}

func TestAPIHalf(t *testing.T) {
	s := fresh(t, Faults{APIHalf: 1})
	status, contentType, body, err := s.ask(t, plainPath+plainQuery)
	if status != http.StatusOK || contentType != accountStyle.contentType || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %s, %v", status, contentType, err)
	}
	whole := `{"access_token":"` + s.plainToken() + `","expires_in":7200}`
	if body != whole[:len(whole)/2] {
		t.Errorf("got %q", body)
	}
}

func TestAPIErrors(t *testing.T) {
	s := newSite(t, Config{Faults: Faults{APIErrors: map[int]float64{45009: 0.5, -1: 0.25}, Seed: 3}})
	run := func() (errcodes []any) {
		for range 40 {
			errcodes = append(errcodes, s.api(t, plainPath+plainQuery, "")["errcode"])
		}
		return errcodes
	}
	first := run()
	count := map[any]int{}
	for _, errcode := range first {
		count[errcode]++
	}
	if len(count) != 3 || count[45009.0] == 0 || count[-1.0] == 0 || count[nil] == 0 {
		t.Errorf("got %v", count)
	}
	s.platform.SetFaults(s.platform.Faults())
	s.api(t, stablePath, stableBody) // another path's call does not count
	if diff := cmp.Diff(first, run()); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	s.platform.Fail(plainPath, 1, 40013)
	if got := s.api(t, plainPath+plainQuery, "")["errcode"]; got != 40013.0 {
		t.Errorf("Fail does not come first: %v", got)
	}
	s.platform.SetFaults(Faults{APIErrors: map[int]float64{-1: 1}})
	s.wantAPI(t, plainPath+plainQuery, "", -1)
	s.wantErrcode(t, exchange+"x", -1)
}

func TestAPIDelay(t *testing.T) {
	const late = 200 * time.Millisecond
	s := fresh(t, Faults{APIDelay: late})
	began := time.Now()
	if _, _, body, err := s.ask(t, plainPath+plainQuery); err != nil || !strings.Contains(body, "access_token") {
		t.Errorf("got %q, %v", body, err)
	}
	if took := time.Since(began); took < late {
		t.Errorf("the answer came after %v", took)
	}
	first := s.plainToken()
	s.platform.SetFaults(Faults{APIDelay: time.Minute})
	s.Client().Timeout = 500 * time.Millisecond
	if _, _, _, err := s.ask(t, plainPath+plainQuery); err == nil {
		t.Error("an answer came before its time")
	}
	if second := s.plainToken(); second == first {
		t.Error("the call was not done")
	}
}
