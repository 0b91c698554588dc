package test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxgate/test/testproc"

	"github.com/google/go-cmp/cmp"
)

// steer makes a call of the fake platform's /fake/v1/.
func steer(t *testing.T, fake, method, path, body string, answer any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+fake+"/fake/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: status %d: %s", method, path, resp.StatusCode, raw)
	}
	if answer != nil {
		if err := json.Unmarshal(raw, answer); err != nil {
			t.Fatalf("%v:\n%s", err, raw)
		}
	}
}

// outcome is the answer of /fake/v1/messages.
type outcome struct {
	Attempts []struct {
		Copy   bool
		TookMS float64 `json:"took_ms"`
		Faults []string
		Status int
	}
	Reply   map[string]string
	Refused []string
}

// TestFaults: what a whole wxgate makes of a WeChat that misbehaves.
func TestFaults(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WXGATE_FAULTS=twice=1,seed=7")...), "dev")
	fake := p.Addr("fake-listen")
	const lost = `"retry_early": 1, "retry_after": "200ms"`
	refused := func(reasons ...string) []string { return reasons }
	for _, c := range []struct {
		name, faults string // "": those of the flag
		reply        string
		refused      []string
		attempts     int
	}{
		{"the flag's", "", "hello", nil, 2},
		{"none", `{}`, "hello", nil, 1},
		{"duplicate", `{"duplicate": 1}`, "hello", nil, 2},
		{"lose two of three", `{"lose": 0.5, "seed": 16, ` + lost + `}`, "hello", nil, 3},
		{"cut", `{"cut": 1, "seed": 1}`, "", refused("no answer in three attempts"), 3},
		{"the same signature again", `{"cut": 0.5, "same_signature": 1, "seed": 8}`, "hello", nil, 2},
		{"wrong signature", `{"wrong_signature": 1}`, "", refused("the status is 403, not 200: check the token"), 1},
		{"clock ahead", `{"clock": "10m"}`, "", refused("the status is 403, not 200: check the token"), 1},
		{"clock a little behind", `{"clock": "-1m"}`, "hello", nil, 1},
		{"broken CDATA", `{"broken_cdata": 1, "seed": 1}`, "", refused("the status is 400, not 200"), 1},
		{"unknown type", `{"unknown_type": 1}`, "", nil, 1},
		{"lose all", `{"lose": 1}`, "", refused("no answer in three attempts"), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.faults != "" {
				steer(t, fake, http.MethodPut, "faults", c.faults, nil)
			}
			var d outcome
			steer(t, fake, http.MethodPost, "messages", `{"kind": "text", "args": ["hello"], "from": "`+testproc.User+`"}`, &d)
			if diff := cmp.Diff(c.refused, d.Refused, cmp.Transformer("", func(s []string) string { return strings.Join(s, "; ") })); diff != "" ||
				d.Reply["Content"] != c.reply || len(d.Attempts) != c.attempts {
				t.Errorf("%+v; refused (-want +got):\n%s", d, diff)
			}
		})
	}
	t.Run("control characters", func(t *testing.T) {
		steer(t, fake, http.MethodPut, "faults", `{"control_characters": 1, "seed": 1}`, nil)
		var d outcome
		steer(t, fake, http.MethodPost, "messages", `{"kind": "text", "args": ["hello"]}`, &d)
		if !strings.HasSuffix(d.Reply["Content"], "hello") || len(d.Refused) > 0 {
			t.Errorf("got %+v", d)
		}
	})
	testproc.NoSecrets(t, p)
}

// TestFaultsOfAPI: a slow answer reaches its user although the API fails now and then.
func TestFaultsOfAPI(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WXGATE_FAULTS=api_errors.-1=0.3,api_html=0.2,api_delay=50ms,seed=3")...), "dev")
	fake := p.Addr("fake-listen")
	var d outcome
	steer(t, fake, http.MethodPost, "messages", `{"kind": "text", "args": ["slow 5"], "from": "`+testproc.User+`"}`, &d)
	if len(d.Refused) > 0 {
		t.Fatalf("got %+v", d)
	}
	var sent struct {
		Messages []struct{ Fields map[string]string }
	}
	for deadline := time.Now().Add(40 * time.Second); len(sent.Messages) == 0 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		steer(t, fake, http.MethodGet, "sent?openid="+testproc.User, "", &sent)
	}
	if len(sent.Messages) != 1 || sent.Messages[0].Fields["content"] != "That took 5 s." {
		t.Errorf("got %+v:\n%s", sent, p.Logged())
	}
}
