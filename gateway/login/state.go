package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// stateLife is the time that a login may take: a code of WeChat's lives five minutes, and the user reads a page before.
const stateLife = 10 * time.Minute

// stateSigner makes and checks the states of logins. It stores nothing: a state contains its expiry, and a signature that also covers
// the account and the return address in redirect_uri. WeChat accepts at most 128 letters and digits; a state has 72.
type stateSigner struct{ keys [][]byte } // the first one signs, all verify

const (
	nonceLen = 16
	timeLen  = 4
	macLen   = 16
)

func newStateSigner(keys [][]byte) stateSigner {
	var s stateSigner
	for _, key := range keys {
		s.keys = append(s.keys, deriveKey(key, "state"))
	}
	return s
}

// makeState returns a new state for a login to an account that leads to a return address.
func (s stateSigner) makeState(account, returnTo string, now time.Time) string {
	b := make([]byte, nonceLen, nonceLen+timeLen+macLen)
	_, _ = rand.Read(b) // never fails
	b = binary.BigEndian.AppendUint32(b, uint32(now.Add(stateLife).Unix()))
	b = append(b, stateMAC(s.keys[0], b, account, returnTo)...)
	return hex.EncodeToString(b)
}

// The errors of checkState; their texts are reasons in the log.
var (
	errStateMalformed = errors.New("state_malformed")
	errStateForged    = errors.New("state_forged")
	errStateExpired   = errors.New("state_expired") // otherwise valid
)

// checkState returns nil if makeState made the state for this account and return address, and it has not expired.
func (s stateSigner) checkState(state, account, returnTo string, now time.Time) error {
	b, err := hex.DecodeString(state)
	if err != nil || len(b) != nonceLen+timeLen+macLen {
		return errStateMalformed
	}
	signed := b[:nonceLen+timeLen]
	if !slices.ContainsFunc(s.keys, func(key []byte) bool { return hmac.Equal(b[len(signed):], stateMAC(key, signed, account, returnTo)) }) {
		return errStateForged
	}
	if now.Unix() > expiryOf(b) {
		return errStateExpired
	}
	return nil
}

// expiryOf returns the expiry of a decoded state, in seconds since 1970.
func expiryOf(b []byte) int64 { return int64(binary.BigEndian.Uint32(b[nonceLen:])) }

// stateExpiry returns the expiry of a state, without checking its signature; 0 if it is not a state.
func stateExpiry(state string) int64 {
	b, err := hex.DecodeString(state)
	if err != nil || len(b) != nonceLen+timeLen+macLen {
		return 0
	}
	return expiryOf(b)
}

func stateMAC(key, signed []byte, account, returnTo string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(signed)
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(account))))
	h.Write([]byte(account))
	h.Write([]byte(returnTo))
	return h.Sum(nil)[:macLen]
}
