package wechat

import (
	"crypto/sha1" // WeChat's choice: the protocol has no other
	"crypto/subtle"
	"encoding/hex"
)

// Signature returns the lower-case hex SHA-1 of the parts, sorted bytewise and joined without a separator.
// The parts are token, timestamp and nonce for signature, and the Encrypt text besides for msg_signature.
func Signature(parts ...string) string {
	var few [4]string
	var sum [2 * sha1.Size]byte
	sign(&sum, append(few[:0], parts...))
	return string(sum[:])
}

// VerifySignature tells, in constant time, whether signature is that of the parts. Upper-case hex is not.
func VerifySignature(signature string, parts ...string) bool {
	var few [4]string
	var want [2 * sha1.Size]byte
	sign(&want, append(few[:0], parts...))
	return subtle.ConstantTimeCompare(want[:], []byte(signature)) == 1
}

// sign sorts the parts, and sets dst to their signature. It allocates nothing for parts of a usual size.
func sign[T string | []byte](dst *[2 * sha1.Size]byte, parts []T) {
	// Not slices.SortFunc: what goes through its function moves to the heap.
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
