package gateway

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
)

// patience is how long a file that changed may take to be loaded; it fails a test, it never passes one.
const patience = 20 * time.Second

// The accounts of the files of these tests.
var (
	shop = signer{testToken, testKey, "wx0000000000000001"}
	club = signer{"GatewayToken02", strings.Repeat("clubKey", 6) + "0", "wx0000000000000002"}
	cafe = signer{"GatewayToken03", strings.Repeat("cafeKey", 6) + "0", "wx0000000000000003"}
)

// entry returns a signer's account as the file lists it; more are further keys.
func (s signer) entry(name string, more ...string) string {
	return fmt.Sprintf("  - {name: %s, app_id: %s, token: %s, aes_key: %s, mode: compat%s}\n", name, s.appID, s.token, s.key, strings.Join(append([]string{""}, more...), ", "))
}

// accountsFile writes a file of accounts, at path or in a new directory. It is another file than before, however fast the
// test is.
func accountsFile(t testing.TB, path string, entries ...string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "accounts.yaml")
	}
	if err := os.WriteFile(path+".new", []byte("accounts:\n"+strings.Join(entries, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// withFile returns a change of the configuration to a file of accounts.
func withFile(path string) func(*Config) {
	return func(cfg *Config) { cfg.Accounts = accounts.Source{File: path} }
}

// loads waits until the gateway has looked at a changed file: it has loaded so many versions, or refuses the file.
func (f *fixture) loads(t testing.TB, number int, refused bool) {
	t.Helper()
	live := f.server.watchedFile
	for end := time.Now().Add(patience); live.Version().Number != number || (live.ReloadError() != nil) != refused; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("version %d, problem %v; want version %d, refused %v", live.Version().Number, live.ReloadError(), number, refused)
		}
	}
}

func TestAccountsFile(t *testing.T) {
	path := accountsFile(t, "", shop.entry("shop"), club.entry("club"))
	f := start(t, withFile(path))
	f.bot.will(echo)
	// expect sends a callback, and checks the status and who was asked for.
	expect := func(s signer, path string, status int, account string) {
		t.Helper()
		before := len(f.bot.heard())
		got := f.post(t, s.sealed(path, textXML("hello")))
		if got.Status != status {
			t.Errorf("%s: status %d, want %d", path, got.Status, status)
		}
		heard := f.bot.heard()[before:]
		if status != 200 {
			if len(heard) != 0 {
				t.Errorf("%s: the replier was asked", path)
			}
		} else if len(heard) != 1 || heard[0].GetAccount() != account {
			t.Errorf("%s: the replier was asked about %v; want account %s", path, heard, account)
		}
	}
	expect(shop, "/", 200, "shop")
	expect(shop, "/wechat/shop", 200, "shop")
	expect(club, "/wechat/club", 200, "club")
	expect(shop, "/wechat/club", 403, "")
	expect(club, "/wechat/shop", 403, "")
	expect(club, "/", 403, "")
	expect(cafe, "/wechat/cafe", 404, "")

	// One goes, one comes, and another is the main one.
	accountsFile(t, path, cafe.entry("cafe"), shop.entry("shop"))
	f.loads(t, 2, false)
	expect(cafe, "/", 200, "cafe")
	expect(cafe, "/wechat/cafe", 200, "cafe")
	expect(shop, "/wechat/shop", 200, "shop")
	expect(shop, "/", 403, "")
	expect(club, "/wechat/club", 404, "")

	accountsFile(t, path, cafe.entry("cafe"), cafe.entry("shop"))
	f.loads(t, 2, true)
	expect(shop, "/wechat/shop", 200, "shop")
	ready := f.do(t, "GET", f.internal+"/readyz", nil)
	if ready.Status != 200 || !strings.Contains(ready.Body, `"gateway accounts":"rejected; keeping the previous version: `+path+`:3:26: account \"shop\": app_id: account 1 has the same`) {
		t.Errorf("/readyz: %d %s", ready.Status, ready.Body)
	}
}

// The accounts of a login are those of the moment too. Its addresses name the account: another may be the main one when
// the browser comes back. A session ends with its account's AppID.
func TestLoginWithAccountsFile(t *testing.T) {
	path := accountsFile(t, "", shop.entry("shop"), club.entry("club"))
	f, _ := startOAuth(t, withFile(path))
	held := map[string]*http.Cookie{}
	visit := func(path string) answer {
		got := f.do(t, "GET", f.public+path, nil, func(r *http.Request) {
			for _, c := range held {
				r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
			}
		})
		maps.Copy(held, got.Cookies)
		return got
	}
	to, err := url.Parse(visit("/oauth/login").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(to.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	accountsFile(t, path, club.entry("club"), shop.entry("shop"))
	f.loads(t, 2, false)
	if got := visit(back.RequestURI() + "&code=" + testCode + "&state=" + to.Query().Get("state")); got.Status != 302 || got.Header.Get("Location") != "/oauth/userinfo" {
		t.Errorf("back from WeChat, when another account is the main one: %d to %q %s", got.Status, got.Header.Get("Location"), got.Body)
	}
	if got := visit("/oauth/userinfo"); got.Status != 200 || !strings.Contains(got.Body, `"account":"shop"`) {
		t.Errorf("logged in to shop: %d %s", got.Status, got.Body)
	}
	accountsFile(t, path, cafe.entry("shop"), shop.entry("cafe"))
	f.loads(t, 3, false)
	if got := visit("/oauth/userinfo"); got.Status != 401 {
		t.Errorf("shop has another AppID: %d %s", got.Status, got.Body)
	}
	for account, want := range map[string]int{"shop": 302, "cafe": 302, "club": 400} {
		if got := visit("/oauth/login?account=" + account); got.Status != want {
			t.Errorf("login with account %s: %d, want %d", account, got.Status, want)
		}
	}
}

// Without oauthsvc there is no login.
func TestLoginWithoutOAuth(t *testing.T) {
	f := start(t, nil)
	if got := f.do(t, "GET", f.public+"/oauth/login", nil); got.Status != 404 {
		t.Errorf("%d, want 404", got.Status)
	}
}

func TestOriginalID(t *testing.T) {
	for id, want := range map[string]string{"": "silent", testAccount: "silent", "gh_other": "original_id", strings.ToUpper(testAccount): "original_id"} {
		f := start(t, func(cfg *Config) {
			for i := range cfg.Accounts.List {
				cfg.Accounts.List[i].OriginalID = id
			}
		})
		for _, mode := range []accounts.Mode{accounts.Plain, accounts.Compat, accounts.Safe} {
			got := f.post(t, own.of(mode, textXML(testText)))
			if want == "silent" {
				got.expect(t, 200, "success")
			} else {
				got.expect(t, 403, "Forbidden\n")
			}
		}
		if diff := cmp.Diff(map[string]int{want: 3}, f.outcomes(t)); diff != "" {
			t.Errorf("original id %q: outcomes (-want +got):\n%s", id, diff)
		}
		if asked := len(f.bot.heard()); (asked == 0) != (want == "original_id") {
			t.Errorf("original id %q: the replier was asked %d times", id, asked)
		}
		if line := f.lines(t, "http")[0]; line["outcome"] != want {
			t.Errorf("original id %q: line %v", id, line)
		}
	}
}

func TestValidateAccountsFile(t *testing.T) {
	cfg := testConfig(service.NewEnv(slog.New(slog.DiscardHandler)))
	cfg.Accounts.File = accountsFile(t, "", shop.entry("a"), club.entry("b"))
	const both = "a list and a file of accounts are given; expected one"
	if err := complete(cfg); err == nil || err.Error() != both {
		t.Errorf("got %v; want %s", err, both)
	}
	cfg.Accounts.List = nil
	if err := complete(cfg); err != nil {
		t.Error(err)
	}
	accountsFile(t, cfg.Accounts.File, shop.entry("a"), club.entry("b c"), "  - {name: d, token_file: none}\n")
	cfg.MaxText = -1
	want := cfg.Accounts.File + ":3:12: account 2: name: expected 1 to 64 letters, digits, - or _\n" +
		cfg.Accounts.File + `:4:27: account "d": token_file: ` + filepath.Join(filepath.Dir(cfg.Accounts.File), "none") + ": no such file or directory\n" +
		"max text: -1; expected 0 (any) or more"
	if err := complete(cfg); err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}
