package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// list writes a file of accounts as one that is put in the old one's place; more is what stands behind them.
func list(t *testing.T, path, more string, names ...string) {
	t.Helper()
	text := "accounts:\n"
	for _, name := range names {
		a := testproc.Accounts[name]
		text += fmt.Sprintf("  - {name: %s, app_id: %s, token: %s, aes_key: %s, original_id: %s}\n", name, a.AppID, a.Token, a.AESKey, a.OriginalID)
	}
	if err := os.WriteFile(path+".new", []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// status sends a text of an account to a path, and returns the status and what was answered.
func status(t *testing.T, public, path, name string, mode sender.Mode) (int, string) {
	t.Helper()
	a := testproc.Accounts[name]
	a.Mode = mode
	s := &sender.Sender{URL: "http://" + public + path, Account: a}
	callback, err := sender.Compose(a.OriginalID, testproc.User, time.Now(), "text", "hello")
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Send(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Fields {
		if f.Name == "Content" {
			return result.Status, f.Value
		}
	}
	return result.Status, ""
}

// Several accounts from a file, which changes while the process runs.
func TestAccounts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	list(t, path, "", "shop", "club")
	p := testproc.Start(t, testproc.Env("WXGATE_ACCOUNTS="+path), "serve")
	public, internal := p.Addr("listen"), p.Addr("internal-listen")
	expect := func(at, name string, want int) {
		t.Helper()
		got, content := status(t, public, at, name, "safe")
		if got != want || (content == "hello") != (want == http.StatusOK) {
			t.Errorf("account %s on %s: status %d, %q; want status %d", name, at, got, content, want)
		}
	}
	// eventually waits for the file to be looked at.
	eventually := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(testproc.Patience); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within %s\n%s", what, testproc.Patience, p.Logged())
			}
		}
	}
	expect("/", "shop", http.StatusOK)
	expect("/wechat/shop", "shop", http.StatusOK)
	expect("/wechat/club", "club", http.StatusOK)
	expect("/wechat/shop", "club", http.StatusForbidden)
	expect("/wechat/club", "shop", http.StatusForbidden)
	expect("/wechat/cafe", "cafe", http.StatusNotFound)
	if got, _ := status(t, public, "/wechat/shop", "shop", "plain"); got != http.StatusForbidden {
		t.Errorf("a plain body for a safe account: status %d", got)
	}
	if code, _, stderr := testproc.Run(t, nil, "", "send", "--url", "http://"+public+"/wechat/club", "--app-id", testproc.Accounts["club"].AppID, "--token", testproc.Accounts["club"].Token,
		"--aes-key", testproc.Accounts["club"].AESKey, "text", "hello"); code == 0 || !strings.Contains(stderr, "403") {
		t.Errorf("a message for another original id: exit code %d\n%s", code, stderr)
	}

	list(t, path, "", "shop", "cafe")
	eventually("a new account", func() bool { got, _ := status(t, public, "/wechat/cafe", "cafe", "safe"); return got == http.StatusOK })
	expect("/wechat/cafe", "cafe", http.StatusOK)
	expect("/wechat/shop", "shop", http.StatusOK)
	expect("/wechat/club", "club", http.StatusNotFound)

	list(t, path, "  - {name: club, tokn: e2eClubToken}\n", "shop", "cafe")
	ready := func() string { return testproc.Get(t, http.DefaultClient, "http://"+internal+"/readyz") }
	eventually("a refused file", func() bool { return strings.Contains(ready(), "gateway accounts") })
	if got := ready(); !strings.Contains(got, `accounts.yaml:4:18: account \"club\": unknown key \"tokn\"; did you mean \"token\"?`) {
		t.Errorf("/readyz: %s", got)
	}
	expect("/wechat/cafe", "cafe", http.StatusOK)
	expect("/wechat/club", "club", http.StatusNotFound)

	list(t, path, "", "club")
	eventually("the file mended", func() bool { return !strings.Contains(ready(), "gateway accounts") })
	expect("/", "club", http.StatusOK)
	expect("/wechat/shop", "shop", http.StatusNotFound)
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	testproc.NoSecrets(t, p, "e2eShopToken", "e2eClubToken", "e2eCafeToken", "shopKey", "clubKey", "cafeKey")
}

// The roles apart read one file, each its own secrets; the other's are not there.
func TestAccountsOfRoles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.yaml")
	for name, text := range map[string]string{
		"accounts.yaml": "accounts:\n  - {name: first, token_file: " + dir + "/token}\n  - {name: second, app_id: " + testproc.AppID + ", token_file: token, app_secret_file: secret}\n",
		"token":         testproc.Token + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fake := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=plain")...), "fakewechat")
	fakeURL := "http://" + fake.Addr("fake-listen")
	upstream := []string{"WECHAT_API_URL=" + fakeURL, "WECHAT_OPEN_URL=" + fakeURL}
	if code, _, stderr := testproc.Run(t, testproc.Env(), "", "oauthsvc", "--accounts", path); code == 0 || !strings.Contains(stderr, `accounts.yaml:3:`) || !strings.Contains(stderr, "/secret: no such file or directory") {
		t.Errorf("oauthsvc without the AppSecret's file: exit code %d\n%s", code, stderr)
	}
	replier := testproc.Start(t, testproc.Env("WXGATE_ACCOUNTS="+path), "replier")
	replierAddr := replier.Addr("replier-listen")
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(testproc.AppSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "token"), filepath.Join(dir, "kept")); err != nil {
		t.Fatal(err)
	}
	oauth := testproc.Start(t, testproc.Env(upstream...), "oauthsvc", "--accounts", path)
	oauthAddr := oauth.Addr("oauth-listen")
	if err := os.Rename(filepath.Join(dir, "kept"), filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	gateway := testproc.Start(t, testproc.Env("WXGATE_REPLIER="+replierAddr, "WXGATE_OAUTH="+oauthAddr), "gateway", "--accounts", path)
	public := "http://" + gateway.Addr("listen")
	if got := testproc.Say(t, testproc.SenderTo(gateway.Addr("listen"), "plain"), "text", "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
	if got := testproc.LoginTo(t, public, "account=second&"); got["openid"] != sender.User {
		t.Errorf("after the login with the second account /oauth/userinfo says %v", got)
	}
	resp, err := http.Get(public + "/oauth/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("login with the first account, which has no AppSecret: %s", resp.Status)
	}
	for _, p := range []*testproc.Process{gateway, oauth, replier} {
		testproc.NoSecrets(t, p, sender.User)
	}
}

// serve has logins where an account of the file has an AppSecret.
func TestServeLogins(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]int{"": http.StatusNotFound, "  - {name: club, app_id: wx1, token: t, app_secret: s}\n": http.StatusFound} {
		path := filepath.Join(t.TempDir(), "accounts.yaml")
		list(t, path, more, "shop")
		p := testproc.Start(t, testproc.Env(), "serve", "--accounts", path)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Get("http://" + p.Addr("listen") + "/oauth/login?account=club")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with %q: %s; want %d", more, resp.Status, want)
		}
	}
}

func TestWrongAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	list(t, bad, "  - {name: club}\n", "shop")
	good := filepath.Join(dir, "good.yaml")
	list(t, good, "", "shop")
	for _, c := range []struct {
		name string
		env  []string
		args string
		want []string // the lines of stderr; a part of each
	}{
		{"file", nil, "gateway --accounts " + bad, []string{`bad.yaml:3:5: account "club": token or token_file is missing`}},
		{"once for all services", nil, "serve --rules /nonexistent.yaml --accounts " + bad, []string{`bad.yaml:3:5: account "club": token or token_file is missing`, "/nonexistent.yaml: no such file"}},
		{"no file", nil, "serve --accounts /nonexistent.yaml", []string{"/nonexistent.yaml: no such file or directory"}},
		{"no AppSecret", nil, "oauthsvc --accounts " + good, []string{"good.yaml:2:3: no account has an AppSecret"}},
		{"single account besides", testproc.AccountEnv, "serve --mode safe --accounts " + good, []string{
			"--app-id (WECHAT_APP_ID): given besides --accounts (WXGATE_ACCOUNTS); ", "--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE): given besides", "--aes-key (WECHAT_AES_KEY or",
			"--mode (WECHAT_MODE): given", "--app-secret (WECHAT_APP_SECRET or"}},
		{"single account besides, by environment", []string{"WXGATE_ACCOUNTS=" + good, "WECHAT_TOKEN=t", "WECHAT_APP_SECRET=of no use here"}, "gateway", []string{"--token (WECHAT_TOKEN or"}},
		{"AppSecret besides", []string{"WECHAT_APP_SECRET=s", "WECHAT_TOKEN=of no use here"}, "oauthsvc --accounts " + good, []string{"--app-secret (WECHAT_APP_SECRET or"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := testproc.Run(t, c.env, "", strings.Fields(c.args)...)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if code == 0 || len(lines) != len(c.want) {
				t.Errorf("exit code %d, %d lines; want %d:\n%s", code, len(lines), len(c.want), stderr)
			}
			for i := range min(len(lines), len(c.want)) {
				if !strings.HasPrefix(lines[i], "wxgate: ") || !strings.Contains(lines[i], c.want[i]) {
					t.Errorf("line %q lacks %q", lines[i], c.want[i])
				}
			}
		})
	}
}
