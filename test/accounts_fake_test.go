package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// One fake platform plays WeChat for both accounts of a gateway: their callbacks, their API, their logins.
func TestAccountsOfOneFake(t *testing.T) {
	t.Parallel()
	names := []string{"shop", "club"}
	fake, err := fakewechat.Start(fakewechat.Config{Account: testproc.Accounts["shop"]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	text := "accounts:\n"
	for _, name := range names {
		a := testproc.Accounts[name]
		text += fmt.Sprintf("  - {name: %s, app_id: %s, token: %s, aes_key: %s, original_id: %s, app_secret: %s}\n", name, a.AppID, a.Token, a.AESKey, a.OriginalID, a.AppSecret)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env("WECHAT_API_URL="+fake.URL, "WECHAT_OPEN_URL="+fake.URL), "serve", "--accounts", path)
	public, internal := "http://"+p.Addr("listen"), "http://"+p.Addr("internal-listen")
	for _, name := range names {
		a := testproc.Accounts[name]
		if err := fake.Put(a, public+"/wechat/"+name); err != nil {
			t.Fatal(err)
		}
		answer, err := fake.SendXML(t.Context(), testproc.ComposeText(t, a.OriginalID, "hello from "+name))
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Reply()["Content"]; got != "hello from "+name || len(answer.Refused) != 0 {
			t.Errorf("%s: got %q, refused: %q", name, got, answer.Refused)
		}
		body := fmt.Sprintf(`{"account": %q, "openid": %q, "message": {"text": "news of %s"}}`, name, sender.User, name)
		resp, err := http.Post(internal+"/v1/account/messages", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: a message: %s, %s", name, resp.Status, said)
		}
		if got := testproc.LoginTo(t, public, "account="+name+"&"); got["openid"] != sender.User {
			t.Errorf("%s: after the login /oauth/userinfo says %v", name, got)
		}
	}
	var pushed []string
	for _, m := range fake.Sent(sender.User) {
		pushed = append(pushed, m.AppID+": "+m.Fields[0].Value)
	}
	want := []string{testproc.Accounts["shop"].AppID + ": news of shop", testproc.Accounts["club"].AppID + ": news of club"}
	if fmt.Sprint(pushed) != fmt.Sprint(want) {
		t.Errorf("got %q; want %q", pushed, want)
	}
	if n := fake.Calls("/cgi-bin/stable_token"); n != len(names) {
		t.Errorf("%d calls for an access token; want one of each account", n)
	}
	testproc.NoSecrets(t, p, sender.User, testproc.Accounts["shop"].AppSecret, testproc.Accounts["club"].AppSecret)
}
