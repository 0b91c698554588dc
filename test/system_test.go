package test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// blogPost is what the blog post's program answered, and wxgate by its built-in rules.
var blogPost = []struct {
	kind string
	args []string
	want string
}{
	{"text", []string{"Big brother muyao nb"}, "Big brother muyao nb"},
	{"text", []string{"a]]>b & <c> 😀\n第二行"}, "a]]>b & <c> 😀\n第二行"},
	{"text", []string{""}, ""},
	{"voice", []string{"今天天气怎么样"}, "今天天气怎么样"},
	{"voice", nil, "What you said! I cannot understand you"},
	{"image", nil, "Good picture, good picture!"},
	{"location", []string{"23.134521", "113.358800", "广州"}, "So you're in(X, Y)=(23.134521, 113.358800)of广州!"},
	{"video", nil, "Don't send anything weird"},
	{"shortvideo", nil, ""},
	{"link", nil, ""},
	{"event", []string{"subscribe"}, "Thank you for your attention!"},
	{"event", []string{"subscribe", "campaign-42"}, "Thank you for your attention!"},
	{"event", []string{"unsubscribe"}, ""},
	{"event", []string{"SCAN", "campaign-42"}, ""},
	{"event", []string{"LOCATION"}, ""},
	{"event", []string{"CLICK", "V1_HELP"}, ""},
	{"event", []string{"VIEW", "https://example.com/"}, ""},
	{"event", []string{"some_future_event", "key"}, ""},
}

func TestDev(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=compat")...), "dev")
	public := p.Addr("listen")
	for _, mode := range []sender.Mode{"compat", "safe"} {
		s := testproc.SenderTo(public, mode)
		if err := s.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		for _, c := range blogPost {
			if got := testproc.Say(t, s, c.kind, c.args...); got != c.want {
				t.Errorf("%s: %s %q: got %q, want %q", mode, c.kind, c.args, got, c.want)
			}
		}
	}
	got := testproc.Login(t, "http://"+public)
	if got["openid"] != sender.User || got["nickname"] == "" {
		t.Errorf("after the login /oauth/userinfo says %v", got)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	testproc.NoSecrets(t, p, sender.User)
}

func TestRolesApart(t *testing.T) {
	t.Parallel()
	fake := testproc.Start(t, testproc.Env(testproc.AccountEnv...), "fakewechat")
	fakeURL := "http://" + fake.Addr("fake-listen")
	oauth := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_API_URL="+fakeURL, "WECHAT_OPEN_URL="+fakeURL)...), "oauthsvc")
	replier := testproc.Start(t, testproc.Env(), "replier")
	replierAddr := replier.Addr("replier-listen")
	// A gateway is not bothered by an AppSecret.
	gateway := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WXGATE_SLOW=drop", "WXGATE_REPLIER="+replierAddr, "WXGATE_OAUTH="+oauth.Addr("oauth-listen"))...), "gateway")
	s := testproc.SenderTo(gateway.Addr("listen"), "safe")
	for _, c := range blogPost {
		if got := testproc.Say(t, s, c.kind, c.args...); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.kind, c.args, got, c.want)
		}
	}
	if got := testproc.Login(t, "http://"+gateway.Addr("listen")); got["openid"] != sender.User {
		t.Errorf("after the login /oauth/userinfo says %v", got)
	}

	// The request's id is the same in both processes.
	id := regexp.MustCompile(`"request_id":"([0-9a-f]+)"`).FindStringSubmatch(gateway.Logged())
	if id == nil || !strings.Contains(replier.Logged(), id[1]) {
		t.Errorf("the gateway's request id %v is not in the replier's log", id)
	}

	// Every process tells of its health, and a gateway of its neighbours.
	for p, flag := range map[*testproc.Process]string{gateway: "internal-listen", replier: "internal-listen", oauth: "internal-listen", fake: "fake-listen"} {
		if code, _, stderr := testproc.Run(t, nil, "", "health", p.Addr(flag)); code != 0 {
			t.Errorf("%v: health: exit code %d: %s", p.Cmd.Args, code, stderr)
		}
	}
	if code, _, stderr := testproc.Run(t, nil, "", "health", replierAddr); code != 0 {
		t.Errorf("health over gRPC: exit code %d: %s", code, stderr)
	}

	// A replier that was killed: success within WeChat's time, and an answer again when it is back.
	_ = replier.Cmd.Process.Kill()
	replier.Wait()
	if got := testproc.Say(t, s, "text", "anybody there"); got != "" {
		t.Errorf("without a replier the answer was %q", got)
	}
	if ready := testproc.Get(t, http.DefaultClient, "http://"+gateway.Addr("internal-listen")+"/readyz"); !strings.Contains(ready, `"replier"`) {
		t.Errorf("/readyz does not tell that the replier is away: %s", ready)
	}
	testproc.Start(t, append(testproc.Env(), "WXGATE_REPLIER_LISTEN="+replierAddr), "replier").Addr("replier-listen")
	if got := testproc.Say(t, s, "text", "back"); got != "back" {
		t.Errorf("after the replier came back the answer was %q", got)
	}
	for _, p := range []*testproc.Process{gateway, oauth, fake} {
		if code := p.Stop(); code != 0 {
			t.Errorf("%v: exit code %d after SIGTERM", p.Cmd.Args, code)
		}
		testproc.NoSecrets(t, p, sender.User)
	}
}

// A bare token is enough, as for the blog post's program: plain mode, no OAuth.
func TestServeWithTokenOnly(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WECHAT_AES_KEY=", "WECHAT_APP_SECRET="), "serve")
	public := p.Addr("listen")
	if got := testproc.Say(t, testproc.SenderTo(public, "plain"), "text", "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
	resp, err := http.Get("http://" + public + "/oauth/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("/oauth/login without an AppSecret: %s", resp.Status)
	}
}
