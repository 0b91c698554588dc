package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
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
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var line tracedLine
		if err := json.Unmarshal([]byte(get(t, http.DefaultClient, fmt.Sprintf("http://%s/fake/lines/%d", fake, sent.ID))), &line); err != nil {
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
	p := start(t, env("WXGATE_INTERNAL_KEY="+internalKey+", "+nextKey), "dev")
	a := sendFromPage(t, p.addr("fake-listen"), "hello trace").Attempts[0]
	if a.Trace == nil || a.Trace.Outcome != "replied" || a.Trace.Message.Text.Content != "hello trace" || a.Trace.Replier.Rule != "echo" || len(a.Trace.Hops) != 4 {
		t.Errorf("trace %+v", a.Trace)
	}
	resp, err := http.Get("http://" + p.addr("internal-listen") + "/debug/callbacks")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the key: %s", resp.Status)
	}
	if strings.Contains(p.logged(), "debugging is on") {
		t.Error("dev warns of debugging")
	}
	noSecrets(t, p, "hello trace")
}

// A gateway tells, with a warning, only where --debug is given; the fake platform asks the one that it is given.
func TestTraceOfRoles(t *testing.T) {
	replier := start(t, env(), "replier")
	for _, debug := range []bool{false, true} {
		gateway := start(t, env(append(accountEnv, "WXGATE_SLOW=drop", "WXGATE_REPLIER="+replier.addr("replier-listen"), fmt.Sprint("WXGATE_DEBUG=", debug))...), "gateway")
		internal := "http://" + gateway.addr("internal-listen")
		fake := start(t, env(append(accountEnv, "WXGATE_GATEWAY=http://"+gateway.addr("listen")+"/", "WXGATE_GATEWAY_INTERNAL="+internal)...), "fakewechat")
		a := sendFromPage(t, fake.addr("fake-listen"), "hello trace").Attempts[0]
		if debug != (a.Trace != nil && a.Trace.Replier.Rule == "echo") {
			t.Errorf("debug %v: trace %+v", debug, a.Trace)
		}
		if warned := strings.Contains(gateway.logged(), "debugging is on"); warned != debug {
			t.Errorf("debug %v: warned %v", debug, warned)
		}
		noSecrets(t, gateway, "hello trace")
	}
	serve := start(t, env("WECHAT_TOKEN="+token, "WECHAT_AES_KEY=", "WECHAT_APP_SECRET="), "serve", "--debug")
	if got := get(t, http.DefaultClient, "http://"+serve.addr("internal-listen")+"/debug/callbacks"); strings.TrimSpace(got) != `{"callbacks":[]}` {
		t.Errorf("serve --debug tells %s", got)
	}
	if !strings.Contains(serve.logged(), "debugging is on") {
		t.Error("serve --debug does not warn")
	}
}
