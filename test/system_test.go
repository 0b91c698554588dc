package test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
)

// The account of these tests.
const (
	appID     = "wx00000000e2e00001"
	token     = "e2eToken0123456789"
	aesKey    = "e2eEndToEndKeyOfTheTestsOfWxgate0123456789A"
	appSecret = "e2eSecret0123456789abcdef0123456"
	gh        = "gh_0123456789ab"
	user      = "oEndToEndUser0000000000000001"
)

var accountEnv = []string{"WECHAT_APP_ID=" + appID, "WECHAT_TOKEN=" + token, "WECHAT_AES_KEY=" + aesKey, "WECHAT_APP_SECRET=" + appSecret}

func senderTo(addr string, mode sender.Mode) *sender.Sender {
	return &sender.Sender{URL: "http://" + addr + "/", Account: sender.Account{
		AppID: appID, AppSecret: appSecret, Token: token, AESKey: aesKey, OriginalID: gh, Mode: mode,
	}}
}

// say sends a message and returns the reply's Content, "" for success.
func say(t *testing.T, s *sender.Sender, kind string, args ...string) string {
	t.Helper()
	callback, err := sender.Compose(gh, user, time.Now(), kind, args...)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Send(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Refused) > 0 {
		t.Fatalf("%s %q: WeChat would refuse the answer: %q", kind, args, result.Refused)
	}
	for _, f := range result.Fields {
		if f.Name == "Content" {
			return f.Value
		}
	}
	return ""
}

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

var anyPort = []string{"WXGATE_LISTEN=127.0.0.1:0", "WXGATE_INTERNAL_LISTEN=127.0.0.1:0", "WXGATE_REPLIER_LISTEN=127.0.0.1:0",
	"WXGATE_OAUTH_LISTEN=127.0.0.1:0", "WXGATE_FAKE_LISTEN=127.0.0.1:0"}

func env(more ...string) []string { return append(append([]string{}, anyPort...), more...) }

func TestDev(t *testing.T) {
	p := start(t, env(append(accountEnv, "WECHAT_MODE=compat")...), "dev")
	public := p.addr("listen")
	for _, mode := range []sender.Mode{"compat", "safe"} {
		s := senderTo(public, mode)
		if err := s.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		for _, c := range blogPost {
			if got := say(t, s, c.kind, c.args...); got != c.want {
				t.Errorf("%s: %s %q: got %q, want %q", mode, c.kind, c.args, got, c.want)
			}
		}
	}
	got := login(t, "http://"+public)
	if got["openid"] != sender.User || got["nickname"] == "" {
		t.Errorf("after the login /oauth/userinfo says %v", got)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	noSecrets(t, p, sender.User)
}

// allowLink finds the button of the fake platform's authorize page.
var allowLink = regexp.MustCompile(`id="allow" href="([^"]+)"`)

// allowed presses the button of an authorize page, and returns the callback's URL, to which it sends the browser.
func allowed(t *testing.T, page string) string {
	t.Helper()
	link := allowLink.FindStringSubmatch(page)
	if link == nil {
		t.Fatalf("no allow button:\n%s", page)
	}
	stays := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stays.Get(strings.ReplaceAll(link[1], "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Fatalf("allowing: status %d", resp.StatusCode)
	}
	return resp.Header.Get("Location")
}

// login goes through a login as a browser does, and returns the user.
func login(t *testing.T, base string) map[string]any {
	t.Helper()
	return loginTo(t, base, "")
}

// loginTo is login with further parameters, each with an & behind.
func loginTo(t *testing.T, base, parameters string) map[string]any {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: patience}
	page := get(t, browser, base+"/oauth/login?"+parameters+"return_to=/oauth/userinfo")
	callback := allowed(t, page)
	first := get(t, browser, callback)
	if again := get(t, browser, callback); again != first {
		t.Errorf("the callback reloaded gives %s, at first it gave %s", again, first)
	}
	var user map[string]any
	if err := json.Unmarshal([]byte(first), &user); err != nil {
		t.Fatalf("%v:\n%s", err, first)
	}
	return user
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// noSecrets looks through all of a process's log for what must not be there.
func noSecrets(t *testing.T, p *process, more ...string) {
	t.Helper()
	logged := p.logged()
	secrets := append([]string{token, aesKey, appSecret, user, "muyao", "天气", "广州", "code=", "state=", "signature=", "nonce="}, more...)
	for _, secret := range secrets {
		if i := strings.Index(logged, secret); i >= 0 {
			t.Errorf("%q is in the log: …%s", secret, logged[max(0, i-200):min(len(logged), i+100)])
		}
	}
}

func TestRolesApart(t *testing.T) {
	fake := start(t, env(accountEnv...), "fakewechat")
	fakeURL := "http://" + fake.addr("fake-listen")
	oauth := start(t, env(append(accountEnv, "WECHAT_API_URL="+fakeURL, "WECHAT_OPEN_URL="+fakeURL)...), "oauthsvc")
	replier := start(t, env(), "replier")
	replierAddr := replier.addr("replier-listen")
	// A gateway is not bothered by an AppSecret.
	gateway := start(t, env(append(accountEnv, "WXGATE_SLOW=drop", "WXGATE_REPLIER="+replierAddr, "WXGATE_OAUTH="+oauth.addr("oauth-listen"))...), "gateway")
	s := senderTo(gateway.addr("listen"), "safe")
	for _, c := range blogPost {
		if got := say(t, s, c.kind, c.args...); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.kind, c.args, got, c.want)
		}
	}
	if got := login(t, "http://"+gateway.addr("listen")); got["openid"] != sender.User {
		t.Errorf("after the login /oauth/userinfo says %v", got)
	}

	// The request's id is the same in both processes.
	id := regexp.MustCompile(`"request_id":"([0-9a-f]+)"`).FindStringSubmatch(gateway.logged())
	if id == nil || !strings.Contains(replier.logged(), id[1]) {
		t.Errorf("the gateway's request id %v is not in the replier's log", id)
	}

	// Every process tells of its health, and a gateway of its neighbours.
	for p, flag := range map[*process]string{gateway: "internal-listen", replier: "internal-listen", oauth: "internal-listen", fake: "fake-listen"} {
		if code, _, stderr := run(t, nil, "", "health", p.addr(flag)); code != 0 {
			t.Errorf("%v: health: exit code %d: %s", p.cmd.Args, code, stderr)
		}
	}
	if code, _, stderr := run(t, nil, "", "health", replierAddr); code != 0 {
		t.Errorf("health over gRPC: exit code %d: %s", code, stderr)
	}

	// A replier that was killed: success within WeChat's time, and an answer again when it is back.
	_ = replier.cmd.Process.Kill()
	replier.wait()
	if got := say(t, s, "text", "anybody there"); got != "" {
		t.Errorf("without a replier the answer was %q", got)
	}
	if ready := get(t, http.DefaultClient, "http://"+gateway.addr("internal-listen")+"/readyz"); !strings.Contains(ready, `"replier"`) {
		t.Errorf("/readyz does not tell that the replier is away: %s", ready)
	}
	start(t, append(env(), "WXGATE_REPLIER_LISTEN="+replierAddr), "replier").addr("replier-listen")
	if got := say(t, s, "text", "back"); got != "back" {
		t.Errorf("after the replier came back the answer was %q", got)
	}
	for _, p := range []*process{gateway, oauth, fake} {
		if code := p.stop(); code != 0 {
			t.Errorf("%v: exit code %d after SIGTERM", p.cmd.Args, code)
		}
		noSecrets(t, p, sender.User)
	}
}

// A bare token is enough, as for the blog post's program: plain mode, no OAuth.
func TestServeWithTokenOnly(t *testing.T) {
	p := start(t, env("WECHAT_TOKEN="+token, "WECHAT_AES_KEY=", "WECHAT_APP_SECRET="), "serve")
	public := p.addr("listen")
	if got := say(t, senderTo(public, "plain"), "text", "hello"); got != "hello" {
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
