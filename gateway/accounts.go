package gateway

import (
	"fmt"
	"time"

	"wxgate/gateway/login"
	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/wechat"
)

// grace is the time for which a previous token or AES key is accepted, after this process first read it.
const grace = time.Hour

// accountSet is the accounts of one version of the accounts file. It does not change.
type accountSet struct {
	byName   map[string]*readyAccount
	main     *readyAccount // on "/", and of requests that name none
	forLogin *login.Accounts
}

// newAccountSet prepares accounts, of which there is at least one. before is the set until now; nil: none.
func newAccountSet(list []accounts.Account, before *accountSet, now time.Time) (*accountSet, error) {
	if before == nil {
		before = &accountSet{}
	}
	next := &accountSet{byName: make(map[string]*readyAccount, len(list)), forLogin: &login.Accounts{Main: list[0].Name, AppIDs: make(map[string]string, len(list))}}
	for _, a := range list {
		ready, err := newReadyAccount(a, before.byName[a.Name], now)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
		next.byName[a.Name] = ready
		next.forLogin.AppIDs[a.Name] = a.AppID
		if next.main == nil {
			next.main = ready
		}
	}
	return next, nil
}

// loadAccounts returns the accounts of a file; nil if the file has problems.
func loadAccounts(load *configfile.Load, path string, before *accountSet, now time.Time) *accountSet {
	list := accounts.ReadFile(load, path, accounts.Gateway)
	if load.Err() != nil {
		return nil
	}
	next, err := newAccountSet(list, before, now)
	if err != nil {
		load.Fail(path, "%v", err)
	} else if before != nil {
		configfile.NoteNames(load, before.byName, next.byName)
	}
	return next
}

// readyAccount is an account with its parsed credentials.
type readyAccount struct {
	accounts.Account
	tokens  []credential[string] // the current one first
	ciphers []credential[*wechat.Cipher]
}

// credential is a token, or the cipher of an AES key.
type credential[T any] struct {
	value T
	until time.Time // the end of its grace time; zero: it is the current one
}

func (c credential[T]) isGood(now time.Time) bool { return c.until.IsZero() || now.Before(c.until) }

// newReadyAccount prepares an account. before is the same account in the set until now; nil: none.
func newReadyAccount(a accounts.Account, before *readyAccount, now time.Time) (*readyAccount, error) {
	if before == nil {
		before = &readyAccount{}
	}
	ready := &readyAccount{Account: a, tokens: []credential[string]{{value: a.Token.Reveal()}}}
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

// graceEnd returns the end of the grace time of a previous credential. If the set until now has it too (again), the end stays.
func graceEnd[T any](again bool, before []credential[T], now time.Time) time.Time {
	if again && len(before) > 1 {
		return before[1].until
	}
	return now.Add(grace)
}
