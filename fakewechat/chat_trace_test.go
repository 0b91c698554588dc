package fakewechat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// internal is the internal address of a gateway, which the test plays.
func internal(t *testing.T, tells http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(tells)
	t.Cleanup(s.Close)
	return s.URL
}

// sendAndAsk sends a message from the page, and returns the attempts as the page then sees them.
func (s *site) sendAndAsk(t *testing.T) []*chatAttempt {
	t.Helper()
	p := s.open(t)
	if status, said := s.post(t, "/fake/lines", saying("hi"), nil); status != http.StatusAccepted {
		t.Fatalf("status %d: %v", status, said)
	}
	line := p.done()
	resp, body := s.get(t, fmt.Sprintf("/fake/lines/%d", line.ID))
	var whole chatLine
	if err := json.Unmarshal([]byte(body), &whole); err != nil || resp.StatusCode != http.StatusOK || len(whole.Attempts) == 0 {
		t.Fatalf("%d %s: %v", resp.StatusCode, body, err)
	}
	return whole.Attempts
}

// TestTrace: each attempt has what the gateway tells of its nonce, of those that share one each its own.
func TestTrace(t *testing.T) {
	gw, got := gateway(t, 200, fixed("success"))
	asked := make(chan *http.Request, 9)
	address := internal(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" { // asked by the open page
			return
		}
		asked <- r
		fmt.Fprintln(w, `{"callbacks": [{"rule": "<one>"}, {"rule": "two"}]}`)
	})
	s := newSite(t, Config{Gateway: gw, GatewayInternal: address + "/", InternalKey: "key of the test"})
	t.Cleanup(s.platform.Close)
	s.platform.SetFaults(Faults{Twice: 1})
	attempts := s.sendAndAsk(t)
	if len(attempts) != 2 || string(attempts[0].Trace) != `{"rule":"<one>"}` || string(attempts[1].Trace) != `{"rule":"two"}` {
		t.Errorf("attempts %+v", attempts)
	}
	r := <-asked
	if len(asked) != 0 || r.URL.Path != "/debug/callbacks" || r.URL.Query().Get("nonce") != got.query().Get("nonce") || r.Header.Get("Authorization") != "Bearer key of the test" {
		t.Errorf("asked %s with %v, and %d times more", r.URL, r.Header, len(asked))
	}
	// The line as such has none: it is only put in where the page asks.
	for _, l := range s.platform.chat.lines {
		if l.Attempts[0].Trace != nil {
			t.Error("the trace is kept")
		}
	}
}

// TestTraceOfLost: what never got to the gateway has no trace, and does not take another's.
func TestTraceOfLost(t *testing.T) {
	address := internal(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"callbacks": [{"n": 1}, {"n": 2}]}`)
	})
	exchange := &chatExchange{URL: "http://gateway/?nonce=1"}
	attempts := []*chatAttempt{{}, {Exchange: exchange, Faults: []string{"lose"}}, {Exchange: exchange}, {Exchange: exchange}, {Exchange: exchange}}
	newTracer(address, "").addTraces(t.Context(), attempts)
	for i, want := range []string{"", "", `{"n": 1}`, `{"n": 2}`, ""} {
		if got := string(attempts[i].Trace); got != want {
			t.Errorf("attempt %d: got %q; want %q", i, got, want)
		}
	}
}

// TestTraceFails: a gateway that does not debug, answers nonsense or too much, or never, is as none.
func TestTraceFails(t *testing.T) {
	gw, _ := gateway(t, 200, fixed("success"))
	var elsewhere bool
	other := internal(t, func(http.ResponseWriter, *http.Request) { elsewhere = true })
	for name, address := range map[string]string{
		"nobody is asked":  "",
		"no URL":           "http://[",
		"away":             "http://127.0.0.1:1",
		"does not debug":   internal(t, http.NotFound),
		"nonsense":         internal(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `<html>`) }),
		"another document": internal(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"callbacks": "none"}`) }),
		"too long": internal(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"callbacks": [{"message": %q}]}`, strings.Repeat("x", maxTrace))
		}),
		"redirects": internal(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other, http.StatusFound)
		}),
		"hangs": internal(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{Gateway: gw, GatewayInternal: address})
			t.Cleanup(s.platform.Close)
			if a := s.sendAndAsk(t)[0]; a.Trace != nil || a.Status != http.StatusOK {
				t.Errorf("attempt %+v with %s", a, a.Trace)
			}
		})
	}
	if elsewhere {
		t.Error("a redirect was followed")
	}
}
