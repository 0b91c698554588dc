package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The errors of Open. In brackets are the codes of WeChat's WXBizMsgCrypt library, which are never sent.
var (
	ErrBase64  = errors.New("the envelope is not base64 (-40010)")
	ErrDecrypt = errors.New("the envelope's length is not a multiple of the AES block size (-40007)")
	ErrPadding = errors.New("the envelope's padding or length is wrong (-40008)")
	ErrAppID   = errors.New("the envelope is for another AppID (-40005)")
)

const (
	randomLen = 16 // bytes before the length
	headLen   = randomLen + 4
	padBlock  = 32 // PKCS#7 here pads to 32 bytes, not to AES's 16
)

// Cipher seals and opens the AES envelope of one account. It is safe for concurrent use.
type Cipher struct {
	block cipher.Block
	iv    []byte
	appID string
}

// ParseAESKey decodes an EncodingAESKey: 43 characters of base64, which are 32 bytes.
func ParseAESKey(encodingAESKey string) ([]byte, error) {
	if len(encodingAESKey) != 43 {
		return nil, fmt.Errorf("an EncodingAESKey has 43 characters, this one has %d", len(encodingAESKey))
	}
	// Not Strict: real keys leave the two unused bits of the last character set.
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(key) != 32 { // shorter if the decoder skipped line breaks, or a "=" replaced a character
		return nil, errors.New("an EncodingAESKey has only the characters A-Z, a-z, 0-9, + and /")
	}
	return key, nil
}

// NewCipher returns the Cipher of an account with this EncodingAESKey (43 characters) and AppID.
func NewCipher(encodingAESKey, appID string) (*Cipher, error) {
	key, err := ParseAESKey(encodingAESKey)
	if err != nil {
		return nil, err
	}
	if appID == "" {
		return nil, errors.New("an envelope cannot be checked without the AppID")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &Cipher{block: block, iv: key[:aes.BlockSize], appID: appID}, nil
}

// Open decrypts the message in an Encrypt text. Check msg_signature first: the envelope itself is not authenticated. The
// errors are ErrBase64, ErrDecrypt, ErrPadding and ErrAppID.
func (c *Cipher) Open(encrypt string) ([]byte, error) {
	buf := make([]byte, base64.StdEncoding.DecodedLen(len(encrypt)))
	n, err := base64.StdEncoding.Decode(buf, []byte(encrypt))
	if err != nil {
		return nil, ErrBase64
	}
	buf = buf[:n]
	if n == 0 || n%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(buf, buf)

	pad := int(buf[n-1])
	if pad < 1 || pad > padBlock || pad > n {
		return nil, ErrPadding
	}
	for _, b := range buf[n-pad:] {
		if int(b) != pad {
			return nil, ErrPadding
		}
	}
	buf = buf[:n-pad]
	if len(buf) < headLen {
		return nil, ErrPadding
	}
	size := uint64(binary.BigEndian.Uint32(buf[randomLen:]))
	rest := buf[headLen:]
	if size > uint64(len(rest)) {
		return nil, ErrPadding
	}
	if subtle.ConstantTimeCompare(rest[size:], []byte(c.appID)) != 1 {
		return nil, ErrAppID
	}
	return rest[:size:size], nil
}

// Seal encrypts a message into an Encrypt text, with fresh random bytes.
func (c *Cipher) Seal(message []byte) string {
	return string(c.appendSealed(nil, message, freshRandom()))
}

func freshRandom() (random [randomLen]byte) {
	_, _ = rand.Read(random[:]) // never fails
	return random
}

// sealedLen returns the length of a message after padding, in bytes.
func (c *Cipher) sealedLen(message []byte) int {
	n := headLen + len(message) + len(c.appID)
	return n + padBlock - n%padBlock
}

// appendSealed appends the Encrypt text of message to dst. It builds the plaintext after it, in the same memory.
func (c *Cipher) appendSealed(dst, message []byte, random [randomLen]byte) []byte {
	size := c.sealedLen(message)
	text := base64.StdEncoding.EncodedLen(size)
	dst = slices.Grow(dst, text+size)
	behind := len(dst) + text
	buf := dst[behind:behind]
	buf = append(buf, random[:]...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(message)))
	buf = append(buf, message...)
	buf = append(buf, c.appID...)
	for pad := size - len(buf); len(buf) < size; {
		buf = append(buf, byte(pad))
	}
	// CBC by hand: cipher.NewCBCEncrypter allocates 512 bytes, a fifth of the time that sealing takes.
	for last, rest := c.iv, buf; len(rest) > 0; last, rest = rest, rest[aes.BlockSize:] {
		subtle.XORBytes(rest, rest[:aes.BlockSize], last[:aes.BlockSize])
		c.block.Encrypt(rest, rest)
	}
	return base64.StdEncoding.AppendEncode(dst, buf)
}

// SealReply wraps a reply's XML into the envelope that WeChat expects in safe mode, signed with token.
// timestamp is in seconds; nonce may be the request's. Element names and their case are fixed.
func (c *Cipher) SealReply(token string, reply []byte, timestamp int64, nonce string) []byte {
	const head, tail = "<xml><Encrypt><![CDATA[", "]]></Nonce></xml>"
	size := c.sealedLen(reply)
	out := make([]byte, 0, len(head)+base64.StdEncoding.EncodedLen(size)+max(size, len(nonce)+256))
	out = append(out, head...)
	out = c.appendSealed(out, reply, freshRandom())
	var digits [20]byte
	seconds := strconv.AppendInt(digits[:0], timestamp, 10)
	var signature [2 * sha1.Size]byte
	signParts(&signature, [][]byte{[]byte(token), seconds, []byte(nonce), out[len(head):]})
	out = append(out, "]]></Encrypt><MsgSignature><![CDATA["...)
	out = append(out, signature[:]...)
	out = append(out, "]]></MsgSignature><TimeStamp>"...)
	out = append(out, seconds...)
	out = append(out, "</TimeStamp><Nonce><![CDATA["...)
	out = appendCDATA(out, nonce)
	return append(out, tail...)
}
