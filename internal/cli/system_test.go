package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wxgate/internal/service"
)

// TestAccountsFileIsOpenedOnce: all services of a process start with one reading of the accounts file: it may be gone after
// the first.
func TestAccountsFileIsOpenedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	text := "accounts: [{name: shop, app_id: wx0123456789abcdef, token: abc, mode: plain, app_secret: def}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := systemFlags{
		publicFlags: publicFlags{ReplyTimeout: time.Second},
		oauthFlags:  oauthFlags{OAuthListen: "127.0.0.1:0"},
	}
	cfg := flags.systemConfig(service.NewEnv(slog.New(slog.DiscardHandler)), systemAccounts{accountsFlag: accountsFlag{path}},
		upstreamFlags{APIURL: "https://api.wechat.invalid", OpenURL: "https://open.wechat.invalid"})
	if !cfg.withOAuth {
		t.Fatal("the AppSecret of the accounts file was not found")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	done, err := cfg.complete()
	if err != nil {
		t.Fatalf("the accounts file is opened more than once: %v", err)
	}
	if done.gateway == nil || done.replier == nil || done.oauth == nil {
		t.Errorf("completed: %+v; want all three services", done)
	}
}
