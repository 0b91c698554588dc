package testproc

import (
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
)

// These are the settings of the account of these tests, and a user.
const (
	AppID      = "wx00000000e2e00001"
	Token      = "e2eToken0123456789"
	AESKey     = "e2eEndToEndKeyOfTheTestsOfWxgate0123456789A"
	AppSecret  = "e2eSecret0123456789abcdef0123456"
	OriginalID = "gh_0123456789ab"
	User       = "oEndToEndUser0000000000000001"
)

// AccountEnv is the environment that sets the account.
var AccountEnv = []string{"WECHAT_APP_ID=" + AppID, "WECHAT_TOKEN=" + Token, "WECHAT_AES_KEY=" + AESKey, "WECHAT_APP_SECRET=" + AppSecret}

// AnyPort is the environment that has every service listen on a free port.
var AnyPort = []string{"WXGATE_LISTEN=127.0.0.1:0", "WXGATE_INTERNAL_LISTEN=127.0.0.1:0", "WXGATE_REPLIER_LISTEN=127.0.0.1:0",
	"WXGATE_OAUTH_LISTEN=127.0.0.1:0", "WXGATE_FAKE_LISTEN=127.0.0.1:0"}

// Env returns AnyPort and more variables.
func Env(more ...string) []string { return append(append([]string{}, AnyPort...), more...) }

// NoSecrets fails the test if the log of a process contains a secret, a user's words, or one of more.
func NoSecrets(t *testing.T, p *Process, more ...string) {
	t.Helper()
	logged := p.Logged()
	secrets := append([]string{Token, AESKey, AppSecret, User, "muyao", "天气", "广州", "code=", "state=", "signature=", "nonce="}, more...)
	for _, secret := range secrets {
		if i := strings.Index(logged, secret); i >= 0 {
			t.Errorf("%q is in the log: …%s", secret, logged[max(0, i-200):min(len(logged), i+100)])
		}
	}
}

// Accounts are those of a file of accounts, each with a token, key and AppSecret of its own.
var Accounts = map[string]sender.Account{
	"shop": {AppID: "wx00000000e2e00011", Token: "e2eShopToken", AESKey: strings.Repeat("shopKey", 6) + "0", AppSecret: "e2eShopSecret", OriginalID: "gh_shop"},
	"club": {AppID: "wx00000000e2e00012", Token: "e2eClubToken", AESKey: strings.Repeat("clubKey", 6) + "0", AppSecret: "e2eClubSecret", OriginalID: "gh_club"},
	"cafe": {AppID: "wx00000000e2e00013", Token: "e2eCafeToken", AESKey: strings.Repeat("cafeKey", 6) + "0", AppSecret: "e2eCafeSecret", OriginalID: "gh_cafe"},
}
