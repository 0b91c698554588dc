package sender

import (
	"cmp"
	"fmt"

	"wxgate/internal/wechat"
)

// User is the openid of the user that the fake platform starts with, and that `wxgate send` writes as.
const User = "oFakeUser000000000000000001"

// ServiceFailed is the text that WeChat shows in the chat if it rejects the answer, or gets none in three attempts.
const ServiceFailed = "该公众号提供的服务出现故障，请稍后再试"

// Mode is how an account's callbacks are encrypted: its setting in WeChat's console.
type Mode string

// The modes. The empty one is Safe if the account has an AES key, else Plain.
const (
	Plain  Mode = "plain"  // nothing is encrypted
	Compat Mode = "compat" // callbacks carry the plain fields and the envelope; replies may be either
	Safe   Mode = "safe"   // envelopes only
)

// Account has the settings of an official account in WeChat's console.
type Account struct {
	AppID, AppSecret string
	Token            string // signs callbacks
	AESKey           string // EncodingAESKey, 43 characters; not needed in plain mode
	OriginalID       string // "gh_…": the ToUserName of callbacks, and the FromUserName of replies
	Mode             Mode

	// WebDomain is the account's web authorization domain: the host that a redirect_uri must have, without scheme and port.
	// "" allows any host.
	WebDomain string
}

// DevAccount returns a well-known account, for tests and for trying things out. It takes plain and sealed answers.
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

// Validate returns the account's mode, never the empty one. The error says that the mode is unknown, or that the AES key or
// the AppID that the mode needs is invalid.
func (a *Account) Validate() (Mode, error) {
	mode, _, err := a.newCipher()
	return mode, err
}

// newCipher returns the account's mode, never the empty one, and its cipher, which is nil in plain mode.
func (a *Account) newCipher() (Mode, *wechat.Cipher, error) {
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

// ReceiverID returns the ToUserName of the account's callbacks: its OriginalID, or a made-up one if that is empty.
func (a *Account) ReceiverID() string { return cmp.Or(a.OriginalID, "gh_fake00000000") }
