package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/internal/testaddr"
	"wxgate/test/testproc"
)

func composed(t *testing.T, kind string, args ...string) ([]byte, error) {
	t.Helper()
	return sender.Compose(testproc.OriginalID, testproc.User, time.Now(), kind, args...)
}

// Each wrong start ends with a line for each error, before anything listens.
func TestWrongStart(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	taken := lis.Addr().String()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	badRules := file("rules.yaml", "rules:\n  - name: a\n    match: {typ: text}\n    reply: {text: hello}\n  - name: b\n    reply: {text: '{{ message.foo }}'}\n")
	for _, c := range []struct {
		name string
		env  []string
		args string
		want []string // each in one line of stderr
	}{
		{"no token", nil, "gateway", []string{"--token (WECHAT_TOKEN"}},
		{"empty is unset", []string{"WECHAT_TOKEN="}, "gateway", []string{"--token (WECHAT_TOKEN"}},
		{"all errors at once", []string{"WECHAT_TOKEN=t", "WECHAT_AES_KEY=short", "WXGATE_REPLY_TIMEOUT=6s", "WXGATE_MAX_SKEW=-1s"}, "gateway --public-url example.com",
			[]string{"--app-id", "43 characters, this one has 5", "--reply-timeout (WXGATE_REPLY_TIMEOUT): 6s", "--max-skew (WXGATE_MAX_SKEW): -1s", `--public-url (WXGATE_PUBLIC_URL): "example.com"`}},
		{"errors of all services at once", []string{"WECHAT_APP_SECRET=s"}, "serve --api-url ftp://x --rules " + badRules,
			[]string{"--token", "--app-id", "--api-url", "rules.yaml:3:13", "rules.yaml:6:"}},
		{"rules", nil, "replier --rules " + badRules, []string{`rules.yaml:3:13: rule "a": unknown key "typ"; did you mean "type"?; expected account`, `rules.yaml:6:30: rule "b": undefined field 'foo'`}},
		{"no rules file", nil, "replier --rules /nonexistent.yaml", []string{"/nonexistent.yaml"}},
		{"oauthsvc without a secret", []string{"WECHAT_APP_ID=wx1"}, "oauthsvc", []string{"--app-secret (WECHAT_APP_SECRET"}},
		{"mode", []string{"WECHAT_TOKEN=t"}, "gateway --mode secret", []string{`"secret"; expected plain, compat or safe`}},
		{"a token with a blank", []string{"WECHAT_TOKEN=abc "}, "gateway", []string{"--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE): holds a space"}},
		{"a token in quotes", []string{`WECHAT_TOKEN="abc"`}, "gateway", []string{"WECHAT_TOKEN: the value is in quotes; remove them"}},
		{"a flag's token in quotes", nil, `gateway --token "abc"`, []string{"--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE): holds a quote"}},
		{"a token file with a byte order mark", []string{"WECHAT_TOKEN_FILE=" + file("token", "\ufeffabc\n")}, "gateway",
			[]string{"--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE): begins with a byte order mark"}},
		{"a public URL in capitals", []string{"WECHAT_TOKEN=t", "WXGATE_PUBLIC_URL=HTTPS://wx.example.com"}, "gateway", []string{`--public-url (WXGATE_PUBLIC_URL): "HTTPS://wx.example.com"; expected`}},
		{"variable and file", []string{"WECHAT_TOKEN=t", "WECHAT_TOKEN_FILE=/x"}, "gateway", []string{"WECHAT_TOKEN and WECHAT_TOKEN_FILE are both set"}},
		{"missing secret files", []string{"WECHAT_TOKEN_FILE=/x", "WECHAT_AES_KEY_FILE=/y"}, "gateway", []string{"WECHAT_TOKEN_FILE: open /x", "WECHAT_AES_KEY_FILE: open /y"}},
		{"taken port", []string{"WECHAT_TOKEN=t"}, "gateway --internal-listen 127.0.0.1:0 --listen " + taken, []string{"--listen (WXGATE_LISTEN): " + taken + " is in use by another process"}},
		{"taken gRPC port", nil, "replier --replier-listen " + taken, []string{"--replier-listen (WXGATE_REPLIER_LISTEN): " + taken + " is in use"}},
		{"taken port in dev", testproc.Env(), "dev --fake-listen " + taken, []string{"--fake-listen (WXGATE_FAKE_LISTEN): " + taken + " is in use"}},
		{"faults", testproc.Env(), "fakewechat --faults loose=1,delay=2", []string{`--faults (WXGATE_FAULTS): "delay": it must be a duration`, `--faults (WXGATE_FAULTS): unknown: "loose"; there are seed, lose`}},
		{"faults in dev", testproc.Env("WXGATE_FAULTS=lose=2"), "dev", []string{`--faults (WXGATE_FAULTS): "lose": it must be a rate from 0 to 1`}},
		{"unknown flag", nil, "dev --foo", []string{"unknown flag --foo"}},
		{"unknown command", nil, "run", []string{"unexpected argument run"}},
		{"log level", nil, "replier --log-level loud", []string{"--log-level", "loud"}},
		{"duration", nil, "gateway --reply-timeout soon", []string{"--reply-timeout"}},
		{"xml", nil, "send xml", []string{"xml: 0 arguments do not fit; usage: xml XML|-"}},
		{"no XML", nil, "send xml hello", []string{"the callback is not XML"}},
		{"unknown kind", nil, "send telegram", []string{`unknown kind "telegram"; kinds: text, image`}},
		{"a text without quotes", nil, "send text two words", []string{"text: 2 arguments do not fit; put an argument that has blanks in quotes"}},
		{"send to no URL", nil, "send --url nonsense --fake 127.0.0.1:8010 text hello", []string{`--url (WXGATE_URL): "nonsense" is not a URL`, `--fake (WXGATE_FAKE): "127.0.0.1:8010" is not a URL`}},
		{"fakewechat's URLs", testproc.Env("WECHAT_TOKEN=t", "WECHAT_AES_KEY=short", "WECHAT_APP_ID=wx1"), "fakewechat --gateway nonsense --gateway-internal 127.0.0.1:8001 --faults loose=1",
			[]string{`--gateway (WXGATE_GATEWAY): "nonsense" is not a URL; expected one such as http://127.0.0.1:8000/`, `--gateway-internal (WXGATE_GATEWAY_INTERNAL): "127.0.0.1:8001" is not a URL`, "43 characters, this one has 5", "--faults (WXGATE_FAULTS): unknown"}},
		{"fakewechat's account", testproc.Env(), "fakewechat --mode safe --token t --aes-key short --app-id wx1", []string{"--mode, --aes-key, --app-id: safe mode: an EncodingAESKey has 43 characters"}},
		{"negative number", nil, "send location -33.86 151.21", []string{"after --"}},
		{"no gateway", nil, "send --url http://" + testaddr.Unused(t) + "/ text hello", []string{"refused"}},
		{"load: all errors at once", nil, "load --rate 0 --duration -1s --mix telegram=1 --in-flight 0 --json /nonexistent/a.json --html " + dir + " http://wx.example.com/",
			[]string{"--rate: 0", "--duration: -1s", `unknown kind "telegram"`, "--in-flight: 0", "--json: open /nonexistent/a.json", "--html: open " + dir, "add --test-hosts wx.example.com"}},
		{"load: a key", []string{"WECHAT_TOKEN=t", "WECHAT_AES_KEY=short", "WECHAT_APP_ID=wx1"}, "load http://127.0.0.1:1/", []string{"--aes-key", "43 characters, this one has 5"}},
		{"load: no URL", nil, "load", []string{"expected \"<url>\""}},
		{"unhealthy", nil, "health " + testaddr.Unused(t), []string{"refused"}},
		{"rules check", nil, "rules check " + badRules, []string{"rules.yaml:3:13", "rules.yaml:6:30"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := testproc.Run(t, c.env, "", strings.Fields(c.args)...)
			if code == 0 {
				t.Error("exit code 0")
			}
			for _, want := range c.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, stderr)
				}
			}
			if strings.Contains(stderr, `"listening"`) || strings.Contains(stderr, "goroutine") {
				t.Errorf("it listened, or panicked:\n%s", stderr)
			}
		})
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(testproc.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN_FILE="+file), "serve")
	if got := testproc.Say(t, testproc.SenderTo(p.Addr("listen"), "plain"), "text", "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(testproc.AccountEnv...), "serve")
	url := "http://" + p.Addr("listen") + "/"
	whole, err := composed(t, "text", "a whole callback")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"xml", string(whole)}, 0, []string{"Content  a whole callback\n"}},
		{[]string{"xml", "-"}, 0, []string{"Content  a whole callback\n"}},
		{[]string{"--from", testproc.User, "xml", "<xml><a></xml>"}, 1, []string{"the status is 400, not 200"}},
		{[]string{"text", "Big brother muyao nb"}, 0, []string{"<Content><![CDATA[Big brother muyao nb]]></Content>", "MsgType  text\nContent  Big brother muyao nb\n"}},
		{[]string{"location", "23.134521", "113.358803", "广州"}, 0, []string{"(X, Y)=(23.134521, 113.358803)of广州!"}},
		{[]string{"location", "--", "-33.86", "151.21", "Sydney"}, 0, []string{"(X, Y)=(-33.86, 151.21)ofSydney!"}},
		{[]string{"event", "subscribe"}, 0, []string{"Thank you for your attention!"}},
		{[]string{"event", "unsubscribe"}, 0, []string{"success: nothing to say"}},
		{[]string{"--token", "wrong", "text", "hello"}, 1, []string{"the status is 403, not 200: check the token"}},
		{[]string{"--mode", "plain", "text", "hello"}, 1, []string{"403"}},
	} {
		code, stdout, stderr := testproc.Run(t, testproc.AccountEnv, string(whole), append([]string{"send", "--url", url}, c.args...)...)
		if code != c.code {
			t.Errorf("send %q: exit code %d, want %d\n%s%s", c.args, code, c.code, stdout, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("send %q: no %q in\n%s%s", c.args, want, stdout, stderr)
			}
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("../internal/wechat/testdata/samples/inbound/*.xml")
	if err != nil || len(samples) < 80 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, sample := range samples {
		body, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		// The envelopes open with the key of the recorded vectors; it does not matter to the others.
		code, stdout, stderr := testproc.Run(t, nil, string(body), "decode", "--app-id", "wx0000000000000001", "--aes-key", "jXkQ2vT7mB9rZc4LwPy8uHn5sDg1aFe6oVi0KtRqYxE")
		if code != 0 || !strings.Contains(stdout, `"toUserName": "gh_0a1b2c3d4e5f"`) || strings.Contains(stdout, `"Encrypt"`) {
			t.Errorf("%s: exit code %d\n%s%s", sample, code, stdout, stderr)
		}
	}
	for _, c := range []struct{ name, body, want string }{
		{"sealed, no key", "<xml><Encrypt>x</Encrypt></xml>", "--aes-key and --app-id"},
		{"empty", "", "line 1, column 1"},
		{"not XML", "hello", "line 1, column 1"},
		{"doctype", `<!DOCTYPE xml [<!ENTITY a "b">]><xml>&a;</xml>`, "DOCTYPE"},
		{"too large", "<xml>" + strings.Repeat(" ", 1<<20) + "</xml>", "1048576"},
	} {
		if code, _, stderr := testproc.Run(t, nil, c.body, "decode"); code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, stderr %q; want %q", c.name, code, stderr, c.want)
		}
	}
}
