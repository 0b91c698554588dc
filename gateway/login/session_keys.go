package login

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"strings"

	"wxgate/internal/service"
)

// minSessionKey is the shortest session key, in characters.
const minSessionKey = 32

// parseSessionKeys splits a session key at its commas: the first part seals sessions and states, all parts open them. It returns no
// keys for "". The error names every part that is too short, by its number.
func parseSessionKeys(given service.Secret) (keys [][]byte, err error) {
	if given == "" {
		return nil, nil
	}
	var errs []error
	for i, key := range strings.Split(given.Reveal(), ",") {
		key = strings.TrimSpace(key)
		if len(key) < minSessionKey {
			errs = append(errs, service.BadSetting("session key", "key %d has %d characters; expected at least %d; openssl rand -hex 32 makes one", i+1, len(key), minSessionKey))
		}
		keys = append(keys, []byte(key))
	}
	return keys, errors.Join(errs...)
}

// deriveKey derives the key for one purpose from a secret.
func deriveKey(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "wxgate "+purpose, sha256.Size)
	if err != nil {
		panic(err) // only a length beyond 8160 bytes fails
	}
	return key
}
