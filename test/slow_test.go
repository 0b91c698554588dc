package test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wxgate/fakewechat"
	"wxgate/internal/store/storetest"
	"wxgate/internal/testaddr"
	"wxgate/test/testproc"
)

// slowRules forwards all texts to a bot.
func slowRules(t *testing.T, bot string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte("rules:\n  - {name: bot, match: {type: text}, forward: \"passthrough:///"+bot+"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// once checks that the user gets these answers, and no more.
func once(t *testing.T, p *fakewechat.Platform, want ...string) {
	t.Helper()
	testproc.WaitFor(t, "the answers", func() bool { return len(testproc.Pushed(p)) >= len(want) })
	time.Sleep(300 * time.Millisecond) // for one too many
	if got := testproc.Pushed(p); !slices.Equal(got, want) {
		t.Errorf("pushed %q, want %q", got, want)
	}
}

// noText fails where a process logged a message's text.
func noText(t *testing.T, texts string, all ...*testproc.Process) {
	t.Helper()
	for _, p := range all {
		if strings.Contains(p.Logged(), texts) || strings.Contains(p.Logged(), testproc.User) {
			t.Errorf("a text or an openid is in the log:\n%s", p.Logged())
		}
	}
}

// TestPushSurvivesKill: what WeChat heard success for is answered, once, although the process was killed meanwhile.
func TestPushSurvivesKill(t *testing.T) {
	t.Parallel()
	b, bot := startBot(t)
	wechat, api := testproc.Platform(t)
	settings := testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_RULES="+slowRules(t, bot))...)
	p := testproc.Start(t, settings, "serve")
	s := testproc.SenderTo(p.Addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	if got := testproc.Say(t, s, "text", "slow 世界"); got != "" {
		t.Fatalf("got %q, want success", got)
	}
	<-b.asked
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Done
	if got := testproc.Pushed(wechat); len(got) != 0 {
		t.Fatalf("pushed %q before the bot answered", got)
	}
	close(b.release)
	again := testproc.Start(t, settings, "serve")
	again.Addr("listen")
	once(t, wechat, "bot: slow 世界")
	noText(t, "世界", p, again)

	// What became of it, for those who run it.
	var list struct {
		Deliveries []struct {
			ID, Openid, State string
			PartsSent         int
		}
	}
	rest := "http://" + again.Addr("internal-listen") + "/v1/deliveries"
	testproc.WaitFor(t, "the note of it", func() bool {
		body := testproc.Get(t, http.DefaultClient, rest+"?states=DELIVERY_STATE_SENT&openid="+testproc.User)
		if strings.Contains(body, "世界") {
			t.Fatalf("the text is in the list: %s", body)
		}
		return json.Unmarshal([]byte(body), &list) == nil && len(list.Deliveries) == 1
	})
	if d := list.Deliveries[0]; d.PartsSent != 1 || d.Openid != testproc.User || !strings.Contains(testproc.Get(t, http.DefaultClient, rest+"/"+d.ID), `"DELIVERY_STATE_SENT"`) {
		t.Errorf("listed: %+v", d)
	}
	if metrics := testproc.Get(t, http.DefaultClient, "http://"+again.Addr("internal-listen")+"/metrics"); !strings.Contains(metrics, `wxgate_deliveries_total{outcome="sent",service="replier"} 1`) {
		t.Error("no metric tells of it")
	}
}

// TestDevSlow: the demonstration that the README shows. The fake WeChat of dev learns from send what the user did.
func TestDevSlow(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(), "dev")
	fake := "http://" + p.Addr("fake-listen")
	code, stdout, stderr := testproc.Run(t, testproc.Env("WXGATE_FAKE="+fake, "WXGATE_URL=http://"+p.Addr("listen")+"/"), "", "send", "text", "slow 1")
	if code != 0 || !strings.Contains(stdout, "success: nothing to say") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	testproc.WaitFor(t, "the answer in the list", func() bool {
		return strings.Contains(testproc.Get(t, http.DefaultClient, fake+"/fake/log"), "<dd>That took 1 s.</dd>")
	})
}

// scaled starts the roles apart, on a NATS server, without repliers.
func scaled(t *testing.T, api, nats string, more ...string) (gateway *testproc.Process, replier func(bot string, more ...string) *testproc.Process) {
	t.Helper()
	oauth := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_API_URL="+api, "WXGATE_NATS="+nats)...), "oauthsvc")
	addr := testaddr.Unused(t)
	settings := slices.Concat(testproc.AccountEnv, []string{"WECHAT_MODE=safe", "WXGATE_NATS=" + nats, "WXGATE_REPLY_TIMEOUT=700ms",
		"WXGATE_REPLIER=passthrough:///" + addr, "WXGATE_OAUTH=passthrough:///" + oauth.Addr("oauth-listen")}, more)
	gateway = testproc.Start(t, testproc.Env(settings...), "gateway")
	gateway.Addr("listen")
	return gateway, func(bot string, more ...string) *testproc.Process {
		return testproc.Start(t, testproc.Env(append([]string{"WXGATE_NATS=" + nats, "WXGATE_REPLIER_LISTEN=" + addr, "WXGATE_RULES=" + slowRules(t, bot),
			"WXGATE_OAUTH=passthrough:///" + oauth.Addr("oauth-listen")}, more...)...), "replier")
	}
}

// TestOutage: while no replier is there WeChat hears success; when one is back all is answered, in order.
func TestOutage(t *testing.T) {
	t.Parallel()
	b, bot := startBot(t)
	close(b.release)
	wechat, api := testproc.Platform(t)
	gateway, replier := scaled(t, api, storetest.StartServer(t).URL())
	s := testproc.SenderTo(gateway.Addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	var want []string
	for i := range 4 {
		text := "hello " + strconv.Itoa(i)
		if got := testproc.Say(t, s, "text", text); got != "" {
			t.Errorf("got %q, want success", got)
		}
		want = append(want, "bot: "+text)
	}
	r := replier(bot)
	once(t, wechat, want...)
	testproc.WaitFor(t, "an answer in time", func() bool { return testproc.Say(t, s, "text", "back") == "bot: back" })
	noText(t, "hello", gateway, r)
}

// TestTakeover: a replier that is killed leaves its messages to another; so does one that stands still, also when it goes
// on, and one that stops in good order.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testproc.Process){
		"killed":  func(p *testproc.Process) { _ = p.Cmd.Process.Kill() },
		"frozen":  testproc.Freeze,
		"stopped": func(p *testproc.Process) { _ = p.Cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, bot := startBot(t)
			wechat, api := testproc.Platform(t)
			nats := storetest.StartServer(t).URL()
			gateway, replier := scaled(t, api, nats)
			first := replier(bot)
			first.Addr("replier-listen")
			s := testproc.SenderTo(gateway.Addr("listen"), "safe")
			s.BeforeSend = wechat.RecordCallback
			if got := testproc.Say(t, s, "text", "confide"); got != "" {
				t.Fatalf("got %q, want success", got)
			}
			<-b.asked
			end(first)
			second := replier(bot, "WXGATE_REPLIER_LISTEN=127.0.0.1:0")
			<-b.asked // the other asks
			close(b.release)
			_ = first.Cmd.Process.Signal(syscall.SIGCONT)
			once(t, wechat, "bot: confide")
			noText(t, "confide", first, second, gateway)
		})
	}
}

// TestDataOfANewerVersion: it is refused before anything listens.
func TestDataOfANewerVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format"), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := testproc.Run(t, testproc.Env("WXGATE_DATA_DIR="+dir), "", "replier")
	if code == 0 || stdout != "" || !strings.Contains(stderr, `holds data of format "2"`) || bytes.Count([]byte(stderr), []byte("\n")) != 1 {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}
