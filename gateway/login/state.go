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

// stateLife is how long a login may take: WeChat's code lives five minutes, the user reads a page before.
const stateLife = 10 * time.Minute

// stateSigner makes and checks the state of a login. Nothing is kept: the state carries its expiry and a signature over
// the account and the return address too, which travel in redirect_uri. WeChat takes at most 128 letters and digits;
// a state has 72.
type stateSigner struct{ keys [][]byte } // the first makes, all are accepted

const (
	nonceLen = 16
	timeLen  = 4
	macLen   = 16
)

func newStateSigner(keys [][]byte) stateSigner {
	var s stateSigner
	for _, key := range keys {
		s.keys = append(s.keys, derive(key, "state"))
	}
	return s
}

func (s stateSigner) make(account, returnTo string, now time.Time) string {
	b := make([]byte, nonceLen, nonceLen+timeLen+macLen)
	_, _ = rand.Read(b) // never fails
	b = binary.BigEndian.AppendUint32(b, uint32(now.Add(stateLife).Unix()))
	b = append(b, mac(s.keys[0], b, account, returnTo)...)
	return hex.EncodeToString(b)
}

// What may be wrong with a state, as the log has it.
var (
	errStateMalformed = errors.New("state_malformed")
	errStateForged    = errors.New("state_forged")
	errStateExpired   = errors.New("state_expired") // all else is right
)

// check returns nil for a state that make gave for this account and return address, while it is young enough.
func (s stateSigner) check(state, account, returnTo string, now time.Time) error {
	b, err := hex.DecodeString(state)
	if err != nil || len(b) != nonceLen+timeLen+macLen {
		return errStateMalformed
	}
	signed := b[:nonceLen+timeLen]
	if !slices.ContainsFunc(s.keys, func(key []byte) bool { return hmac.Equal(b[len(signed):], mac(key, signed, account, returnTo)) }) {
		return errStateForged
	}
	if now.Unix() > expiryOf(b) {
		return errStateExpired
	}
	return nil
}

// expiryOf returns when a state ends, in seconds since 1970.
func expiryOf(b []byte) int64 { return int64(binary.BigEndian.Uint32(b[nonceLen:])) }

// stateExpiry returns when a state ends, which is not checked; 0 for what is none.
func stateExpiry(state string) int64 {
	b, err := hex.DecodeString(state)
	if err != nil || len(b) != nonceLen+timeLen+macLen {
		return 0
	}
	return expiryOf(b)
}

func mac(key, signed []byte, account, returnTo string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(signed)
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(account))))
	h.Write([]byte(account))
	h.Write([]byte(returnTo))
	return h.Sum(nil)[:macLen]
}
