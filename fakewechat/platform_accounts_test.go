package fakewechat

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// second is an account besides that of newSite.
func second() sender.Account {
	return sender.Account{
		AppID: "wx0000000000000002", AppSecret: "FakeSecret02", Token: "GatewayToken02",
		AESKey: strings.Repeat("secondKey", 4) + "second0", OriginalID: "gh_second", Mode: sender.Safe,
	}
}

func put(t *testing.T, p *Platform, a sender.Account, gateway string) {
	t.Helper()
	if err := p.Put(a, gateway); err != nil {
		t.Fatal(err)
	}
}

// TestAccountsSend: a callback goes to the gateway of its account, signed and sealed with what is the account's own.
func TestAccountsSend(t *testing.T) {
	firstGW, first := gateway(t, 200, fixed("success"))
	secondGW, got := gateway(t, 200, fixed("success"))
	s := newSite(t, Config{Gateway: firstGW})
	put(t, s.platform, second(), secondGW)
	xml, err := sender.Compose("gh_second", sender.User, at, "text", "hi")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.platform.SendXML(t.Context(), xml); err != nil || len(d.Refused) != 0 {
		t.Fatalf("%v, refused: %q", err, d.Refused)
	}
	if first.body != nil || got.query().Get("msg_signature") == "" || !strings.Contains(string(got.body), "gh_second") || strings.Contains(string(got.body), "Content") {
		t.Errorf("the first gateway got %q, the second %q", first.body, got.body)
	}
	if _, err := s.platform.Send(t.Context(), "text", "hi"); err != nil || !strings.Contains(string(first.body), originalID) {
		t.Errorf("the first gateway got %q, %v", first.body, err)
	}

	changed := second()
	changed.Mode = sender.Plain
	put(t, s.platform, changed, "")
	if _, err := s.platform.SendXML(t.Context(), xml); !errors.Is(err, errNoGateway) {
		t.Errorf("without a gateway: %v", err)
	}
	if got := s.platform.Account(); got != testAccount(sender.Plain) {
		t.Errorf("the first account is now %+v", got)
	}
}

// TestAccountsAPI: each account has tokens, users, quotas and messages of its own.
func TestAccountsAPI(t *testing.T) {
	s := newSite(t, Config{})
	put(t, s.platform, second(), "")
	bodyOf := strings.NewReplacer("wx0000000000000001", "wx0000000000000002", "FakeSecret01", "FakeSecret02").Replace
	first, _ := s.stable(t, stableBody)
	other, _ := s.stable(t, bodyOf(stableBody))
	if first == other {
		t.Error("both accounts have one access_token")
	}
	s.wantAPI(t, stablePath, strings.Replace(stableBody, "wx0000000000000001", "wx0000000000000002", 1), 40125)
	s.wantAPI(t, stablePath, strings.Replace(stableBody, "wx0000000000000001", "wx0000000000000003", 1), 40013)
	s.wantAPI(t, "/cgi-bin/clear_quota?access_token="+other, `{"appid":"wx0000000000000001"}`, 40013)

	xml, err := sender.Compose("gh_second", "oOther", at, "text", "hi")
	if err != nil {
		t.Fatal(err)
	}
	callback, err := sender.ReadCallback(xml)
	if err != nil {
		t.Fatal(err)
	}
	s.platform.RecordCallback(callback)
	s.wantAPI(t, sendPath+"?access_token="+first, text("oOther", "hi"), 40003)
	s.wantAPI(t, sendPath+"?access_token="+other, text("oOther", "hi"), 0)
	s.platform.Did("oOther", Unfollowed) // who is known to the second account alone
	s.wantAPI(t, sendPath+"?access_token="+other, text("oOther", "hi"), 45015)
	sent := s.platform.Sent("oOther")
	if len(sent) != 1 || sent[0].AppID != "wx0000000000000002" {
		t.Errorf("sent %+v", sent)
	}
	s.platform.ExpireToken()
	s.wantAPI(t, sendPath+"?access_token="+other, text("oOther", "hi"), 42001)
	s.platform.RefuseIP(true)
	if got := s.api(t, stablePath, bodyOf(stableBody)); got["errcode"] != 40164.0 {
		t.Errorf("got %v; want 40164", got)
	}
}

// TestAccountsOAuth: a code is good for the account that it is of.
func TestAccountsOAuth(t *testing.T) {
	s := newSite(t, Config{})
	put(t, s.platform, second(), "")
	of := strings.NewReplacer("wx0000000000000001", "wx0000000000000002", "FakeSecret01", "FakeSecret02").Replace
	code := s.login(t, of(authorize)+"snsapi_userinfo&state=s1").Query().Get("code")
	s.wantErrcode(t, exchange+code, 40029)
	got := s.call(t, of(exchange)+code)
	if got["openid"] != sender.User {
		t.Fatalf("got %v", got)
	}
	if user := s.call(t, fmt.Sprintf("/sns/userinfo?access_token=%s&openid=%s", got["access_token"], sender.User)); user["nickname"] != "示例&用户😀" {
		t.Errorf("user %v", user)
	}
	s.wantErrcode(t, refresh+fmt.Sprint(got["refresh_token"]), 40030)
	if again := s.call(t, of(refresh)+fmt.Sprint(got["refresh_token"])); again["access_token"] != got["access_token"] {
		t.Errorf("refreshed %v", again)
	}
}

// TestPutRefuses: what is wrong, by the names of the form; a wrong account changes nothing.
func TestPutRefuses(t *testing.T) {
	p := newSite(t, Config{}).platform
	put(t, p, second(), "")
	for _, test := range []struct {
		name, field string
		change      func(a *sender.Account, gateway *string)
	}{
		{"no AppID", "app_id", func(a *sender.Account, _ *string) { a.AppID = "" }},
		{"blanks", "app_id", func(a *sender.Account, _ *string) { a.AppID = "wx 1" }},
		{"no original id", "original_id", func(a *sender.Account, _ *string) { a.OriginalID = "" }},
		{"another's original id", "original_id", func(a *sender.Account, _ *string) { a.OriginalID = originalID }},
		{"no token", "token", func(a *sender.Account, _ *string) { a.Token = "" }},
		{"a long secret", "app_secret", func(a *sender.Account, _ *string) { a.AppSecret = strings.Repeat("s", maxSetting+1) }},
		{"a key that is none", "aes_key", func(a *sender.Account, _ *string) { a.AESKey = "short" }},
		{"a mode that is none", "mode", func(a *sender.Account, _ *string) { a.Mode = "sealed" }},
		{"a gateway that is none", "gateway", func(_ *sender.Account, gateway *string) { *gateway = "ftp://example.com/" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, gateway := second(), ""
			test.change(&a, &gateway)
			var wrong accountProblems
			if err := p.Put(a, gateway); !errors.As(err, &wrong) || len(wrong) != 1 || wrong[0].name != test.field {
				t.Errorf("got %v; want it to be about %s", err, test.field)
			}
		})
	}
	var wrong accountProblems
	if err := p.Put(sender.Account{Mode: "sealed"}, "x y"); !errors.As(err, &wrong) || len(wrong) < 5 {
		t.Errorf("got %v; want all that is wrong", err)
	}
	for i := range maxAccounts - 2 {
		a := second()
		a.AppID, a.OriginalID = fmt.Sprintf("wxMore%d", i), fmt.Sprintf("gh_more%d", i)
		put(t, p, a, "")
	}
	a := second()
	a.AppID, a.OriginalID = "wxTooMany", "gh_toomany"
	if err := p.Put(a, ""); err == nil || !strings.Contains(err.Error(), "20 accounts") {
		t.Errorf("one more than the most: %v", err)
	}
	put(t, p, second(), "http://127.0.0.1:1/") // one that is there may still change
	if n := len(p.shownAccounts()); n != maxAccounts {
		t.Errorf("%d accounts", n)
	}
}

// TestResetAccounts: accounts that were added are forgotten, and what was changed is as before.
func TestResetAccounts(t *testing.T) {
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	put(t, s.platform, second(), "")
	changed := testAccount(sender.Plain)
	changed.Token = "another"
	put(t, s.platform, changed, "http://127.0.0.1:1/")
	s.platform.Reset()
	acc := testAccount(sender.Plain)
	if diff := cmp.Diff([]chatAccount{{acc.AppID, acc.OriginalID, sender.Plain, "", "", false}}, s.platform.shownAccounts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.platform.Account(); got != acc {
		t.Errorf("the account is %+v", got)
	}
	var hello chatState
	if s.open(t).next("hello", &hello); len(hello.Users) != 1 {
		t.Errorf("users %+v", hello.Users)
	}
}

// TestZeroAccount: a Config without an account has the one that everybody knows.
func TestZeroAccount(t *testing.T) {
	p := New(Config{})
	if got := p.Account(); got != sender.DevAccount() {
		t.Errorf("got %+v; want DevAccount", got)
	}
}

// TestAccountsPage: what a page says of accounts, and never their secrets.
func TestAccountsPage(t *testing.T) {
	gw, _ := gateway(t, 200, fixed("success"))
	good, _ := gateway(t, 200, func(c *caught) string { return c.query().Get("echostr") })
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	page := s.open(t)
	form := map[string]string{
		"app_id": "wx0000000000000002", "original_id": "gh_second", "gateway": gw, "mode": "safe",
		"token": "GatewayToken02", "aes_key": second().AESKey, "app_secret": "FakeSecret02",
	}
	if _, said := s.post(t, "/fake/accounts/check", form, nil); !strings.Contains(fmt.Sprint(said["fields"]), "not echostr") {
		t.Errorf("a gateway that does not answer echostr: %v", said)
	}
	if status, said := s.post(t, "/fake/accounts", form, nil); status != http.StatusOK || said["error"] != nil || len(said["accounts"].([]any)) != 2 {
		t.Fatalf("status %d: %v", status, said)
	}
	var accounts []chatAccount
	acc := testAccount(sender.Plain)
	want := []chatAccount{{acc.AppID, acc.OriginalID, sender.Plain, "", "", false}, {"wx0000000000000002", "gh_second", sender.Safe, gw, "", false}}
	if page.next("accounts", &accounts); !cmp.Equal(want, accounts) {
		t.Errorf("accounts %+v", accounts)
	}

	// Secrets that are left out stay, also for a check.
	delete(form, "token")
	delete(form, "aes_key")
	delete(form, "app_secret")
	form["gateway"] = good
	if _, said := s.post(t, "/fake/accounts/check", form, nil); said["error"] != nil {
		t.Errorf("check: %v", said)
	}
	if s.platform.accountByAppID("wx0000000000000002").sender.URL != gw {
		t.Error("a check changes the account")
	}
	if _, said := s.post(t, "/fake/accounts", form, nil); said["error"] != nil {
		t.Errorf("change: %v", said)
	}
	if got := s.platform.accountByAppID("wx0000000000000002").settings; got != second() {
		t.Errorf("the account is now %+v", got)
	}
	form["app_id"] = "wx0000000000000003"
	status, said := s.post(t, "/fake/accounts", form, nil)
	if fields, _ := said["fields"].(map[string]any); status != http.StatusOK || said["error"] == nil || fields["token"] != "this is missing" {
		t.Errorf("status %d: %v", status, said)
	}
	form["gateway"] = ""
	if _, said := s.post(t, "/fake/accounts/check", form, nil); !strings.Contains(fmt.Sprint(said["fields"]), "no gateway") {
		t.Errorf("check without a gateway: %v", said)
	}
	for _, path := range []string{"/fake/accounts", "/fake/accounts/check"} {
		if status, _ := s.post(t, path, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); status != http.StatusForbidden {
			t.Errorf("%s from another site: status %d", path, status)
		}
		if status, _ := s.post(t, path, map[string]string{"x": "y"}, nil); status != http.StatusBadRequest {
			t.Errorf("%s with an unknown name: status %d", path, status)
		}
	}
	for _, call := range []struct{ path, field string }{{"/fake/lines", "kind"}, {"/fake/users", ""}} {
		body := map[string]any{"account": "wxNobody"}
		if call.field != "" {
			body["user"], body["kind"], body["args"] = sender.User, "text", []string{"hi"}
		}
		if status, said := s.post(t, call.path, body, nil); status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(said["error"]), `no account has the AppID "wxNobody"`) {
			t.Errorf("%s: status %d: %v", call.path, status, said)
		}
	}
	if status, said := s.post(t, "/fake/users", map[string]string{"account": "wx0000000000000002"}, nil); status != http.StatusCreated ||
		said["account"] != "wx0000000000000002" || said["number"] != 2.0 {
		t.Errorf("a user: status %d: %v", status, said)
	}
}

// TestV1Accounts: tests in other languages add accounts and send as their users.
func TestV1Accounts(t *testing.T) {
	gw, got := gateway(t, 200, fixed("success"))
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	list := fmt.Sprintf(`{"accounts": [{"app_id": %q, "original_id": %q, "gateway": "", "mode": "plain", "web_domain": ""}`, testAccount(sender.Plain).AppID, originalID)
	s.wantV1(t, "GET", "accounts", "", list+"]}")
	added := list + fmt.Sprintf(`, {"app_id": "wx2", "original_id": "gh_2", "gateway": %q, "mode": "plain", "web_domain": ""}]}`, gw)
	s.wantV1(t, "PUT", "accounts", fmt.Sprintf(`{"app_id": "wx2", "original_id": "gh_2", "gateway": %q, "token": "t"}`, gw), added)
	if status, said := s.v1(t, "POST", "messages", `{"account": "wx2", "kind": "text", "args": ["hi"]}`); status != http.StatusOK || !strings.Contains(string(got.body), "gh_2") {
		t.Errorf("status %d: %v; the gateway got %s", status, said, got.body)
	}
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "messages", `{"account": "wx3", "kind": "text", "args": ["hi"]}`, `no account has the AppID "wx3"`},
		{"POST", "messages", `{"account": "wx2", "xml": "<xml></xml>"}`, "the callback's ToUserName is another account"},
		{"PUT", "accounts", `{"app_id": "wx3", "original_id": "gh_3"}`, "token: this is missing"},
		{"PUT", "accounts", `{"name": "x"}`, "unknown key"},
	} {
		if status, said := s.v1(t, test.method, test.path, test.body); status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(said["error"]), test.want) {
			t.Errorf("%s %s %s: status %d, %v; want %q", test.method, test.path, test.body, status, said, test.want)
		}
	}
}

// TestDev: the page knows the account that wxgate send has the secrets of.
func TestDev(t *testing.T) {
	p := New(Config{})
	t.Cleanup(p.Close)
	other := sender.DevAccount()
	other.Token = "another"
	for _, want := range []bool{true, false} {
		if got := p.shownAccounts()[0].Dev; got != want {
			t.Errorf("dev: got %v; want %v", got, want)
		}
		put(t, p, other, "")
	}
}
