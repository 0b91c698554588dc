package oauthsvc

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

// patience is how long a file that changed may take to be loaded; it fails a test, it never passes one.
const patience = 20 * time.Second

// accountsFile writes a file of accounts, at path or in a new directory. It is another file than before, however fast
// the test is.
func accountsFile(t testing.TB, path string, entries ...string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "accounts.yaml")
	}
	if err := os.WriteFile(path+".new", []byte("accounts:\n  - "+strings.Join(entries, "\n  - ")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// The files of the token are not there: they are not for this service.
const (
	shopEntry = "{name: shop, app_id: wxshop, app_secret: shopsecret, token_file: /nonexistent}"
	clubEntry = "{name: club, app_id: wxclub, app_secret: clubsecret}"
	bareEntry = "{name: bare, app_id: wxbare}"
)

func TestAccountsFile(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []url.Values
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Query())
		mu.Unlock()
		says(sample(t, "sns.access_token.base.json"))(w, r)
	}))
	t.Cleanup(api.Close)
	path := accountsFile(t, "", shopEntry, clubEntry, bareEntry)
	f := startWith(t, func(cfg *Config) { cfg.APIURL, cfg.Accounts = api.URL, accounts.Source{File: path} })
	n := 0
	// expect makes the calls that need credentials, and checks that they used those of the right account.
	expect := func(account, appID, secret string) {
		t.Helper()
		authorize, err := f.GetAuthorizeUrl(t.Context(), &oauthv1.GetAuthorizeUrlRequest{Account: account, RedirectUri: "https://a.cn"})
		if err != nil || !strings.Contains(authorize.GetUrl(), "?appid="+appID+"&") {
			t.Errorf("account %q: authorize URL %q, %v; want AppID %s", account, authorize.GetUrl(), err, appID)
		}
		mu.Lock()
		asked = nil
		mu.Unlock()
		n++
		code := fmt.Sprint("code", n) // a new one, or it would not be exchanged
		if _, err := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Account: account, Code: code}); err != nil {
			t.Errorf("account %q: %v", account, err)
		}
		if _, err := f.RefreshToken(t.Context(), &oauthv1.RefreshTokenRequest{Account: account, RefreshToken: "r"}); err != nil {
			t.Errorf("account %q: %v", account, err)
		}
		want := []url.Values{
			{"appid": {appID}, "secret": {secret}, "code": {code}, "grant_type": {"authorization_code"}},
			{"appid": {appID}, "refresh_token": {"r"}, "grant_type": {"refresh_token"}},
		}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("account %q: WeChat was asked (-want +got):\n%s", account, diff)
		}
	}
	unknown := func(account, message string) {
		t.Helper()
		_, err := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Account: account, Code: "c"})
		expectUnknown(t, err, message)
		_, err = f.CheckToken(t.Context(), &oauthv1.CheckTokenRequest{Account: account, AccessToken: "a", Openid: "o"})
		expectUnknown(t, err, message)
	}
	expect("shop", "wxshop", "shopsecret")
	expect("club", "wxclub", "clubsecret")
	expect("", "wxshop", "shopsecret")
	unknown("bare", "account: bare has no AppSecret, ")
	unknown("default", "account: not one of this service's; ")
	unknown("Shop", "account: not one of this service's; ")

	// One goes, one gets a new secret, and another is the main one.
	accountsFile(t, path, strings.ReplaceAll(clubEntry, "clubsecret", "newsecret"), bareEntry)
	f.loads(t, 2, false)
	expect("", "wxclub", "newsecret")
	expect("club", "wxclub", "newsecret")
	unknown("shop", "account: not one of this service's; ")

	accountsFile(t, path, bareEntry)
	f.loads(t, 2, true)
	expect("club", "wxclub", "newsecret")
	if problem := f.server.file.ReloadError().Error(); !strings.Contains(problem, "accounts.yaml:2:3: no account has an AppSecret") {
		t.Errorf("problem: %s", problem)
	}

	accountsFile(t, path, bareEntry, shopEntry)
	f.loads(t, 3, false)
	unknown("", "account: bare has no AppSecret, ")
	for _, secret := range []string{"shopsecret", "clubsecret", "newsecret"} {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log holds an AppSecret:\n%s", f.log)
		}
	}
}

func expectUnknown(t *testing.T, err error, message string) {
	t.Helper()
	expect(t, err, codes.NotFound, "UNKNOWN_ACCOUNT")
	if err != nil && !strings.Contains(err.Error(), message) {
		t.Errorf("got %v; want %s", err, message)
	}
}

// loads waits until the service has looked at a changed file: it has loaded so many versions, or refuses the file.
func (f *fixture) loads(t testing.TB, number int, refused bool) {
	t.Helper()
	live := f.server.file
	for end := time.Now().Add(patience); live.Version().Number != number || (live.ReloadError() != nil) != refused; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("version %d, problem %v; want version %d, refused %v", live.Version().Number, live.ReloadError(), number, refused)
		}
	}
}

func TestValidateAccountsFile(t *testing.T) {
	cfg := goodConfig()
	cfg.Accounts.File = accountsFile(t, "", shopEntry)
	const both = "a list and a file of accounts are given; expected one"
	if _, err := cfg.Complete(); err == nil || err.Error() != both {
		t.Errorf("got %v; want %s", err, both)
	}
	cfg.Accounts.List = nil
	if _, err := cfg.Complete(); err != nil {
		t.Error(err)
	}
	accountsFile(t, cfg.Accounts.File, "{name: a b}", bareEntry)
	cfg.Listen = ""
	want := `oauth listen: ""; expected host and port, such as 127.0.0.1:9002` + "\n" +
		cfg.Accounts.File + ":2:12: account 1: name: expected 1 to 64 letters, digits, - or _"
	if _, err := cfg.Complete(); err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}
