package test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/internal/store/storetest"
	"wxgate/test/testproc"
)

// TestFindingsServeWaitsForNATS: a NATS cluster that is unreachable at the start stops nothing but what needs it: what is
// answered in time is answered, and late answers go on once the cluster is there.
func TestFindingsServeWaitsForNATS(t *testing.T) {
	t.Parallel()
	b, bot := startBot(t)
	wechat, api := testproc.Platform(t)
	nats := storetest.ReserveServer(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	text := "rules:\n  - {name: now, match: {text: hello}, reply: {text: hi}}\n  - {name: bot, match: {type: text}, forward: \"passthrough:///" + bot + "\"}\n"
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WECHAT_APP_SECRET="+testproc.AppSecret, "WECHAT_API_URL="+api, "WXGATE_NATS="+nats.URL(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_RULES="+rules)...), "serve")
	s := testproc.SenderTo(p.Addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	if got := testproc.Say(t, s, "text", "hello"); got != "hi" {
		t.Errorf("got %q while NATS is unreachable", got)
	}
	if log := p.Logged(); !strings.Contains(log, "the NATS cluster is unreachable") || !strings.Contains(log, nats.URL()) {
		t.Errorf("no line of the log says that NATS is unreachable:\n%s", log)
	}
	nats.StartAgain()
	testproc.WaitFor(t, "readiness", func() bool {
		return !strings.Contains(testproc.Get(t, http.DefaultClient, "http://"+p.Addr("internal-listen")+"/readyz"), "store")
	})
	if got := testproc.Say(t, s, "text", "slow"); got != "" {
		t.Errorf("got %q, want success", got)
	}
	close(b.release)
	once(t, wechat, "bot: slow")
}
