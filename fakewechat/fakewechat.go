// Package fakewechat is a fake of WeChat's platform: it sends signed callbacks as WeChat does, judges the answers as
// WeChat would, and serves the pages and calls of web OAuth and the account's API: access_token, jsapi_ticket,
// customer-service messages, quotas. NOT FOR PRODUCTION: it asks nobody for a password, and forgets all on exit.
//
// The facts come from the platform's pages "消息推送" (message push), "消息加解密" (message encryption),
// "被动回复用户消息" (passive reply), "网页授权" (web authorization), "接口调用凭据" (access_token) and "客服消息"
// (customer-service messages), and from recorded traffic. Answers are read with encoding/xml and not with the gateway's
// own parser, so that a mistake there is not made twice.
//
// A test starts one with Start and sends messages with Send. It steers a Platform with Config.Now, Config.OnSent, Put, Calls,
// Did, Sent, Fail, ExpireToken, RefuseIP, SetFaults and Reset; one in another language does so over HTTP (docs/FAKE.md).
package fakewechat

import (
	"cmp"
	"fmt"

	"wxgate/internal/wechat"
)

// User is the openid of the user of the fake platform's page.
const User = "oFakeUser000000000000000001"

// ServiceFailed is what the user reads in the chat where WeChat refuses the answer, or gets none in three attempts.
const ServiceFailed = "该公众号提供的服务出现故障，请稍后再试"

// Mode is how an account's callbacks are encrypted: its setting in WeChat's console.
type Mode string

// The modes. The empty one is Safe where the account has an AES key, else Plain.
const (
	Plain  Mode = "plain"  // nothing is encrypted
	Compat Mode = "compat" // callbacks carry the plain fields and the envelope; replies may be either
	Safe   Mode = "safe"   // envelopes only
)

// Account is what WeChat knows of an official account.
type Account struct {
	AppID, AppSecret string
	Token            string // signs callbacks
	AESKey           string // EncodingAESKey, 43 characters; not needed in plain mode
	OriginalID       string // "gh_…": who a callback is for, and a reply from
	Mode             Mode

	// WebDomain is the account's web authorization domain: the host that a redirect_uri must have, without scheme and port.
	// "" takes any host.
	WebDomain string
}

// DevAccount returns an account that everybody knows, for tests and for trying things out. It takes plain and sealed answers.
func DevAccount() Account {
	return Account{
		AppID:      "wx0123456789abcdef",
		AppSecret:  "0123456789abcdef0123456789abcdef",
		Token:      "wxgatedev",
		AESKey:     "wxgateDevelopmentKeyOfTheFakeWeChat01234567",
		OriginalID: "gh_0123456789ab",
		Mode:       Compat,
	}
}

// Validate returns the account's mode, never the empty one, or what is wrong with it or with the key and AppID it needs.
func (a *Account) Validate() (Mode, error) {
	mode, _, err := a.cipher()
	return mode, err
}

// cipher returns the account's mode, never the empty one, and its cipher, nil in plain mode.
func (a *Account) cipher() (Mode, *wechat.Cipher, error) {
	mode := a.Mode
	if mode == "" {
		mode = Plain
		if a.AESKey != "" {
			mode = Safe
		}
	}
	switch mode {
	case Plain:
		return mode, nil, nil
	case Compat, Safe:
		c, err := wechat.NewCipher(a.AESKey, a.AppID)
		if err != nil {
			return mode, nil, fmt.Errorf("%s mode: %w", mode, err)
		}
		return mode, c, nil
	}
	return mode, nil, fmt.Errorf("unknown mode %q: use plain, compat or safe", mode)
}

// originalID is who callbacks of the fake's own page are for.
func (a *Account) originalID() string { return cmp.Or(a.OriginalID, "gh_fake00000000") }

// clip shortens what others wrote to about limit bytes, so that one answer can't fill the page or the memory.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 { // not inside a character
		limit--
	}
	return s[:limit] + "…"
}
