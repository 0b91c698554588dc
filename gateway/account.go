package gateway

import (
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/wechat"
)

// account is an Account made ready.
type account struct {
	accounts.Account
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
func newAccount(a accounts.Account, before *account, now time.Time) (*account, error) {
	if before == nil {
		before = &account{}
	}
	ready := &account{Account: a, tokens: []credential[string]{{value: a.Token.Reveal()}}}
	if a.PreviousToken != "" {
		until := graceEnd(a.PreviousToken == before.PreviousToken, before.tokens, now)
		ready.tokens = append(ready.tokens, credential[string]{a.PreviousToken.Reveal(), until})
	}
	if a.Mode == accounts.Plain {
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
