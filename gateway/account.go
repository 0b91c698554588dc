package gateway

import (
	"errors"
	"fmt"
	"regexp"

	"wxgate/internal/service"
	"wxgate/internal/wechat"
)

// Mode is how WeChat sends an account's callbacks, as set in its console.
type Mode string

// The modes of the platform page "消息推送".
const (
	Plain  Mode = "plain"  // 明文模式
	Compat Mode = "compat" // 兼容模式: both kinds are accepted
	Safe   Mode = "safe"   // 安全模式: only sealed callbacks
)

// Account is an Official Account whose callbacks are accepted.
type Account struct {
	Name   string // in the path /wechat/{name}, logs and messages
	AppID  string // needed where callbacks may be sealed
	Token  service.Secret
	AESKey service.Secret // EncodingAESKey, 43 characters; needed where callbacks may be sealed
	Mode   Mode
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate returns everything that is wrong.
func (a Account) Validate() error {
	var errs []error
	if !accountName.MatchString(a.Name) {
		errs = append(errs, fmt.Errorf("account name %q; expected 1 to 64 letters, digits, - or _", a.Name))
	}
	if a.Token == "" {
		errs = append(errs, errors.New("--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE) is missing: the token that the console has for the callback URL"))
	}
	switch a.Mode {
	case Plain:
	case Compat, Safe:
		if a.AppID == "" {
			errs = append(errs, fmt.Errorf("--app-id (WECHAT_APP_ID) is missing: mode %s checks it", a.Mode))
		}
		if a.AESKey == "" {
			errs = append(errs, fmt.Errorf("--aes-key (WECHAT_AES_KEY or WECHAT_AES_KEY_FILE) is missing: mode %s opens envelopes with it", a.Mode))
		} else if _, err := wechat.ParseAESKey(a.AESKey.Reveal()); err != nil {
			errs = append(errs, fmt.Errorf("--aes-key (WECHAT_AES_KEY): %w", err))
		}
	default:
		errs = append(errs, fmt.Errorf("--mode (WECHAT_MODE): %q; expected plain, compat or safe", a.Mode))
	}
	return errors.Join(errs...)
}

// account is an Account made ready.
type account struct {
	Account
	token  string
	cipher *wechat.Cipher // nil in plain mode
}

func newAccount(a Account) (*account, error) {
	ready := &account{Account: a, token: a.Token.Reveal()}
	if a.Mode == Plain {
		return ready, nil
	}
	var err error
	ready.cipher, err = wechat.NewCipher(a.AESKey.Reveal(), a.AppID)
	return ready, err
}
