package test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/internal/store/storetest"
	"wxgate/internal/testaddr"
)

// platform is the fake WeChat of these tests, whose API calls come over HTTP.
func platform(t *testing.T) (*fakewechat.Platform, string) {
	t.Helper()
	p := fakewechat.New(fakewechat.Config{Account: sender.Account{AppID: appID, AppSecret: appSecret, Token: token, OriginalID: gh}})
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

// pushed returns the texts of the customer-service messages that the user got.
func pushed(p *fakewechat.Platform) []string {
	var all []string
	for _, m := range p.Sent(user) {
		all = append(all, m.Fields[0].Value)
	}
	return all
}

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
	waitFor(t, "the answers", func() bool { return len(pushed(p)) >= len(want) })
	time.Sleep(300 * time.Millisecond) // for one too many
	if got := pushed(p); !slices.Equal(got, want) {
		t.Errorf("pushed %q, want %q", got, want)
	}
}

// noText fails where a process logged a message's text.
func noText(t *testing.T, texts string, all ...*process) {
	t.Helper()
	for _, p := range all {
		if strings.Contains(p.logged(), texts) || strings.Contains(p.logged(), user) {
			t.Errorf("a text or an openid is in the log:\n%s", p.logged())
		}
	}
}

// TestPushSurvivesKill: what WeChat heard success for is answered, once, although the process was killed meanwhile.
func TestPushSurvivesKill(t *testing.T) {
	b, bot := startBot(t)
	wechat, api := platform(t)
	settings := env(append(accountEnv, "WECHAT_MODE=safe", "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_RULES="+slowRules(t, bot))...)
	p := start(t, settings, "serve")
	s := senderTo(p.addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	if got := say(t, s, "text", "slow 世界"); got != "" {
		t.Fatalf("got %q, want success", got)
	}
	<-b.asked
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if got := pushed(wechat); len(got) != 0 {
		t.Fatalf("pushed %q before the bot answered", got)
	}
	close(b.release)
	again := start(t, settings, "serve")
	again.addr("listen")
	once(t, wechat, "bot: slow 世界")
	noText(t, "世界", p, again)

	// What became of it, for those who run it.
	var list struct {
		Deliveries []struct {
			ID, Openid, State string
			PartsSent         int
		}
	}
	rest := "http://" + again.addr("internal-listen") + "/v1/deliveries"
	waitFor(t, "the note of it", func() bool {
		body := get(t, http.DefaultClient, rest+"?states=DELIVERY_STATE_SENT&openid="+user)
		if strings.Contains(body, "世界") {
			t.Fatalf("the text is in the list: %s", body)
		}
		return json.Unmarshal([]byte(body), &list) == nil && len(list.Deliveries) == 1
	})
	if d := list.Deliveries[0]; d.PartsSent != 1 || d.Openid != user || !strings.Contains(get(t, http.DefaultClient, rest+"/"+d.ID), `"DELIVERY_STATE_SENT"`) {
		t.Errorf("listed: %+v", d)
	}
	if metrics := get(t, http.DefaultClient, "http://"+again.addr("internal-listen")+"/metrics"); !strings.Contains(metrics, `wxgate_deliveries_total{outcome="sent",service="replier"} 1`) {
		t.Error("no metric tells of it")
	}
}

// TestDevSlow: the demonstration that the README shows. The fake WeChat of dev learns from send what the user did.
func TestDevSlow(t *testing.T) {
	p := start(t, env(), "dev")
	fake := "http://" + p.addr("fake-listen")
	code, stdout, stderr := run(t, env("WXGATE_FAKE="+fake, "WXGATE_URL=http://"+p.addr("listen")+"/"), "", "send", "text", "slow 1")
	if code != 0 || !strings.Contains(stdout, "success: nothing to say") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	waitFor(t, "the answer in the list", func() bool {
		return strings.Contains(get(t, http.DefaultClient, fake+"/fake/log"), "<dd>That took 1 s.</dd>")
	})
}

// scaled starts the roles apart, on a NATS server, without repliers.
func scaled(t *testing.T, api, nats string, more ...string) (gateway *process, replier func(bot string, more ...string) *process) {
	t.Helper()
	oauth := start(t, env(append(accountEnv, "WECHAT_API_URL="+api, "WXGATE_NATS="+nats)...), "oauthsvc")
	addr := testaddr.Unused(t)
	settings := slices.Concat(accountEnv, []string{"WECHAT_MODE=safe", "WXGATE_NATS=" + nats, "WXGATE_REPLY_TIMEOUT=700ms",
		"WXGATE_REPLIER=passthrough:///" + addr, "WXGATE_OAUTH=passthrough:///" + oauth.addr("oauth-listen")}, more)
	gateway = start(t, env(settings...), "gateway")
	gateway.addr("listen")
	return gateway, func(bot string, more ...string) *process {
		return start(t, env(append([]string{"WXGATE_NATS=" + nats, "WXGATE_REPLIER_LISTEN=" + addr, "WXGATE_RULES=" + slowRules(t, bot),
			"WXGATE_OAUTH=passthrough:///" + oauth.addr("oauth-listen")}, more...)...), "replier")
	}
}

// TestOutage: while no replier is there WeChat hears success; when one is back all is answered, in order.
func TestOutage(t *testing.T) {
	b, bot := startBot(t)
	close(b.release)
	wechat, api := platform(t)
	gateway, replier := scaled(t, api, storetest.Start(t).URL())
	s := senderTo(gateway.addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	var want []string
	for i := range 4 {
		text := "hello " + strconv.Itoa(i)
		if got := say(t, s, "text", text); got != "" {
			t.Errorf("got %q, want success", got)
		}
		want = append(want, "bot: "+text)
	}
	r := replier(bot)
	once(t, wechat, want...)
	waitFor(t, "an answer in time", func() bool { return say(t, s, "text", "back") == "bot: back" })
	noText(t, "hello", gateway, r)
}

func freeze(p *process) { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }

// TestTakeover: a replier that is killed leaves its messages to another; so does one that stands still, also when it goes
// on, and one that stops in good order.
func TestTakeover(t *testing.T) {
	for name, end := range map[string]func(*process){
		"killed":  func(p *process) { _ = p.cmd.Process.Kill() },
		"frozen":  freeze,
		"stopped": func(p *process) { _ = p.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, bot := startBot(t)
			wechat, api := platform(t)
			nats := storetest.Start(t).URL()
			gateway, replier := scaled(t, api, nats)
			first := replier(bot)
			first.addr("replier-listen")
			s := senderTo(gateway.addr("listen"), "safe")
			s.BeforeSend = wechat.RecordCallback
			if got := say(t, s, "text", "confide"); got != "" {
				t.Fatalf("got %q, want success", got)
			}
			<-b.asked
			end(first)
			second := replier(bot, "WXGATE_REPLIER_LISTEN=127.0.0.1:0")
			<-b.asked // the other asks
			close(b.release)
			_ = first.cmd.Process.Signal(syscall.SIGCONT)
			once(t, wechat, "bot: confide")
			noText(t, "confide", first, second, gateway)
		})
	}
}

// TestDataOfANewerVersion: it is refused before anything listens.
func TestDataOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format"), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, env("WXGATE_DATA_DIR="+dir), "", "replier")
	if code == 0 || stdout != "" || !strings.Contains(stderr, `holds data of format "2"`) || bytes.Count([]byte(stderr), []byte("\n")) != 1 {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}
