package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxgate/test/testproc"
)

// postJSON posts to the fake platform, and reads its answer.
func postJSON(t *testing.T, url, body string, to any) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(to); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
}

// tracedLine is what the page shows of a line's first attempt.
type tracedLine struct {
	Done     bool
	Attempts []struct {
		Trace *struct {
			Outcome string
			Message struct{ Text struct{ Content string } }
			Hops    []struct{ Name string }
			Replier struct{ Outcome, Rule string }
		}
	}
}

// sendFromPage sends a text as the page does, and returns its line once it is answered.
func sendFromPage(t *testing.T, fake, content string) tracedLine {
	t.Helper()
	var sent struct{ ID int64 }
	postJSON(t, "http://"+fake+"/fake/lines", fmt.Sprintf(`{"user": "oTrace", "kind": "text", "args": [%q]}`, content), &sent)
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(10 * time.Millisecond) {
		var line tracedLine
		if err := json.Unmarshal([]byte(testproc.Get(t, http.DefaultClient, fmt.Sprintf("http://%s/fake/lines/%d", fake, sent.ID))), &line); err != nil {
			t.Fatal(err)
		}
		if line.Done && len(line.Attempts) > 0 {
			return line
		}
		if time.Now().After(end) {
			t.Fatalf("no answer: %+v", line)
		}
	}
}

// In dev the page knows message, rule and hops, also where the internal address wants a key; and nobody is warned.
func TestTraceOfDev(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env("WXGATE_INTERNAL_KEY="+internalKey+", "+nextKey), "dev")
	a := sendFromPage(t, p.Addr("fake-listen"), "hello trace").Attempts[0]
	if a.Trace == nil || a.Trace.Outcome != "replied" || a.Trace.Message.Text.Content != "hello trace" || a.Trace.Replier.Rule != "echo" || len(a.Trace.Hops) != 4 {
		t.Errorf("trace %+v", a.Trace)
	}
	resp, err := http.Get("http://" + p.Addr("internal-listen") + "/debug/callbacks")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the key: %s", resp.Status)
	}
	if strings.Contains(p.Logged(), "debugging is on") {
		t.Error("dev warns of debugging")
	}
	testproc.NoSecrets(t, p, "hello trace")
}

// A gateway tells, with a warning, only where --debug is given; the fake platform asks the one that it is given.
func TestTraceOfRoles(t *testing.T) {
	t.Parallel()
	replier := testproc.Start(t, testproc.Env(), "replier")
	for _, debug := range []bool{false, true} {
		gateway := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WXGATE_SLOW=drop", "WXGATE_REPLIER="+replier.Addr("replier-listen"), fmt.Sprint("WXGATE_DEBUG=", debug))...), "gateway")
		internal := "http://" + gateway.Addr("internal-listen")
		fake := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WXGATE_GATEWAY=http://"+gateway.Addr("listen")+"/", "WXGATE_GATEWAY_INTERNAL="+internal)...), "fakewechat")
		a := sendFromPage(t, fake.Addr("fake-listen"), "hello trace").Attempts[0]
		if debug != (a.Trace != nil && a.Trace.Replier.Rule == "echo") {
			t.Errorf("debug %v: trace %+v", debug, a.Trace)
		}
		if warned := strings.Contains(gateway.Logged(), "debugging is on"); warned != debug {
			t.Errorf("debug %v: warned %v", debug, warned)
		}
		testproc.NoSecrets(t, gateway, "hello trace")
	}
	serve := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WECHAT_AES_KEY=", "WECHAT_APP_SECRET="), "serve", "--debug")
	if got := testproc.Get(t, http.DefaultClient, "http://"+serve.Addr("internal-listen")+"/debug/callbacks"); strings.TrimSpace(got) != `{"callbacks":[]}` {
		t.Errorf("serve --debug tells %s", got)
	}
	if !strings.Contains(serve.Logged(), "debugging is on") {
		t.Error("serve --debug does not warn")
	}
}
