package wechat

import (
	"crypto/sha1" // the protocol has no other hash
	"crypto/subtle"
	"encoding/hex"
)

// Signature returns the lower-case hex SHA-1 of the parts, sorted bytewise and joined without a separator.
// The parts are token, timestamp and nonce for signature; msg_signature has the Encrypt text too.
func Signature(parts ...string) string {
	var few [4]string
	var sum [2 * sha1.Size]byte
	signParts(&sum, append(few[:0], parts...))
	return string(sum[:])
}

// VerifySignature reports, in constant time, whether signature is that of the parts. It rejects upper-case hex.
func VerifySignature(signature string, parts ...string) bool {
	var few [4]string
	var want [2 * sha1.Size]byte
	signParts(&want, append(few[:0], parts...))
	return subtle.ConstantTimeCompare(want[:], []byte(signature)) == 1
}

// signParts sorts the parts and sets dst to their signature. It does not allocate for parts of usual sizes.
func signParts[T string | []byte](dst *[2 * sha1.Size]byte, parts []T) {
	// Not slices.SortFunc: its function would make the parts escape to the heap.
	for i := range parts {
		for j := i; j > 0 && string(parts[j]) < string(parts[j-1]); j-- {
			parts[j], parts[j-1] = parts[j-1], parts[j]
		}
	}
	var room [1024]byte
	joined := room[:0]
	for _, p := range parts {
		joined = append(joined, p...)
	}
	sum := sha1.Sum(joined)
	hex.Encode(dst[:], sum[:])
}
