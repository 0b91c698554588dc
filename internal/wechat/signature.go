package wechat

import (
	"crypto/sha1" // WeChat's choice: the protocol has no other
	"crypto/subtle"
	"encoding/hex"
	"slices"
)

// Signature returns the lower-case hex SHA-1 of the parts, sorted bytewise and joined without a separator.
// The parts are token, timestamp and nonce for signature, and the Encrypt text besides for msg_signature.
func Signature(parts ...string) string {
	var sum [2 * sha1.Size]byte
	sign(&sum, parts)
	return string(sum[:])
}

// VerifySignature tells, in constant time, whether signature is that of the parts. Upper-case hex is not.
func VerifySignature(signature string, parts ...string) bool {
	var want [2 * sha1.Size]byte
	sign(&want, parts)
	return subtle.ConstantTimeCompare(want[:], []byte(signature)) == 1
}

func sign(dst *[2 * sha1.Size]byte, parts []string) {
	// The room is on the stack, and large enough for a usual Encrypt text.
	var few [4]string
	var room [1024]byte
	sorted := append(few[:0], parts...)
	slices.Sort(sorted)
	joined := room[:0]
	for _, p := range sorted {
		joined = append(joined, p...)
	}
	sum := sha1.Sum(joined)
	hex.Encode(dst[:], sum[:])
}
