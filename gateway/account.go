package gateway

import (
	"errors"
	"fmt"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/wechat"
)

// Mode is how WeChat sends an account's callbacks.
type Mode = accounts.Mode

// The modes.
const (
	Plain  = accounts.Plain
	Compat = accounts.Compat
	Safe   = accounts.Safe
)

// Account is an Official Account whose callbacks are accepted.
type Account struct {
	Name   string // in the path /wechat/{name}, logs and messages
	AppID  string // needed where callbacks may be sealed
	Token  service.Secret
	AESKey service.Secret // EncodingAESKey, 43 characters; needed where callbacks may be sealed
	Mode   Mode

	// Those before the last change, good for the grace time after they were seen first; "": none.
	PreviousToken, PreviousAESKey service.Secret

	Slow     accounts.Slow // what becomes of an answer that is not ready; zero: as Config says
	Pushable bool          // an AppSecret is known to oauthsvc: answers can follow

	OriginalID string // gh_…; callbacks whose ToUserName is another are refused; "": any
}

// Validate returns everything that is wrong.
func (a Account) Validate() error {
	var errs []error
	if err := accounts.CheckName(a.Name); err != nil {
		errs = append(errs, fmt.Errorf("account name %w", err))
	}
	if a.Token == "" {
		errs = append(errs, errors.New("--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE) is missing: the token that the console has for the callback URL"))
	} else if err := accounts.CheckSecret(a.Token.Reveal()); err != nil {
		errs = append(errs, fmt.Errorf("--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE): %w", err))
	}
	if a.AppID != "" {
		if err := accounts.CheckAppID(a.AppID); err != nil {
			errs = append(errs, fmt.Errorf("--app-id (WECHAT_APP_ID): %w", err))
		}
	}
	switch a.Mode {
	case Plain:
	case Compat, Safe:
		if a.AppID == "" {
			errs = append(errs, fmt.Errorf("--app-id (WECHAT_APP_ID) is missing: mode %s checks it", a.Mode))
		}
		if a.AESKey == "" {
			errs = append(errs, fmt.Errorf("--aes-key (WECHAT_AES_KEY or WECHAT_AES_KEY_FILE) is missing: mode %s opens envelopes with it", a.Mode))
		} else if err := checkAESKey(a.AESKey.Reveal()); err != nil {
			errs = append(errs, fmt.Errorf("--aes-key (WECHAT_AES_KEY or WECHAT_AES_KEY_FILE): %w", err))
		}
	default:
		errs = append(errs, fmt.Errorf("--mode (WECHAT_MODE): %q; expected plain, compat or safe", a.Mode))
	}
	return errors.Join(errs...)
}

func checkAESKey(key string) error {
	if err := accounts.CheckSecret(key); err != nil {
		return err
	}
	_, err := wechat.ParseAESKey(key)
	return err
}

// account is an Account made ready.
type account struct {
	Account
	tokens  []credential[string] // the present one first
	ciphers []credential[*wechat.Cipher]
}

// credential is a token, or the cipher of an AES key.
type credential[T any] struct {
	value T
	until time.Time // when its grace ends; zero: it is the present one
}

func (c credential[T]) isGood(now time.Time) bool { return c.until.IsZero() || now.Before(c.until) }

// newAccount makes an account ready. before is the same account at the load before; nil: there was none.
func newAccount(a Account, before *account, now time.Time) (*account, error) {
	if before == nil {
		before = &account{}
	}
	ready := &account{Account: a, tokens: []credential[string]{{value: a.Token.Reveal()}}}
	if a.PreviousToken != "" {
		until := graceEnd(a.PreviousToken == before.PreviousToken, before.tokens, now)
		ready.tokens = append(ready.tokens, credential[string]{a.PreviousToken.Reveal(), until})
	}
	if a.Mode == Plain {
		return ready, nil
	}
	cipher, err := wechat.NewCipher(a.AESKey.Reveal(), a.AppID)
	if err != nil {
		return nil, err
	}
	ready.ciphers = []credential[*wechat.Cipher]{{value: cipher}}
	if a.PreviousAESKey != "" {
		if cipher, err = wechat.NewCipher(a.PreviousAESKey.Reveal(), a.AppID); err != nil {
			return nil, err
		}
		until := graceEnd(a.PreviousAESKey == before.PreviousAESKey, before.ciphers, now)
		ready.ciphers = append(ready.ciphers, credential[*wechat.Cipher]{cipher, until})
	}
	return ready, nil
}

// graceEnd returns when a previous credential's grace ends. A load that sees it again doesn't prolong it.
func graceEnd[T any](again bool, before []credential[T], now time.Time) time.Time {
	if again && len(before) > 1 {
		return before[1].until
	}
	return now.Add(grace)
}
