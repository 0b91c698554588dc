package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"wxgate/internal/accounts"
)

// What is signed and sealed here is so by the standard library alone: internal/wechat must not vouch for itself.

// signer is WeChat's side of an account.
type signer struct{ token, key, appID string }

var own = signer{testToken, testKey, testAppID}

// sign returns a signature: the hex SHA-1 of the sorted parts.
func (s signer) sign(parts ...string) string {
	parts = append([]string{s.token}, parts...)
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// now is a timestamp inside every window.
func now() string { return strconv.FormatInt(time.Now().Unix(), 10) }

// query returns the parameters of a plain callback, signed at a timestamp.
func (s signer) query(timestamp string) url.Values {
	return url.Values{"signature": {s.sign(timestamp, testNonce)}, "timestamp": {timestamp}, "nonce": {testNonce}, "openid": {testUser}}
}

// sealedQuery returns the parameters of a sealed callback.
func (s signer) sealedQuery(timestamp, encrypt string) url.Values {
	q := s.query(timestamp)
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", s.sign(timestamp, testNonce, encrypt))
	return q
}

// block returns the account's AES-256-CBC.
func (s signer) block() (cipher.Block, []byte) {
	key, err := base64.StdEncoding.DecodeString(s.key + "=")
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return block, key[:aes.BlockSize]
}

// seal returns an Encrypt text.
func (s signer) seal(message string) string {
	b := append([]byte("0123456789abcdef"), binary.BigEndian.AppendUint32(nil, uint32(len(message)))...)
	b = append(append(b, message...), s.appID...)
	pad := 32 - len(b)%32
	b = append(b, strings.Repeat(string(rune(pad)), pad)...)
	block, iv := s.block()
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(b, b)
	return base64.StdEncoding.EncodeToString(b)
}

// open returns the message in an Encrypt text.
func (s signer) open(t testing.TB, encrypt string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil || len(b) == 0 || len(b)%32 != 0 {
		t.Fatalf("an envelope of %d bytes: %v", len(b), err)
	}
	block, iv := s.block()
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(b, b)
	b = b[:len(b)-int(b[len(b)-1])]
	size := binary.BigEndian.Uint32(b[16:20])
	if appID := string(b[20+size:]); appID != s.appID {
		t.Fatalf("the envelope is for AppID %q", appID)
	}
	return string(b[20 : 20+size])
}

// safeBody returns the body of a sealed callback in safe mode.
func safeBody(encrypt string) string {
	return "<xml>\n    <ToUserName><![CDATA[" + testAccount + "]]></ToUserName>\n    <Encrypt><![CDATA[" + encrypt + "]]></Encrypt>\n</xml>\n"
}

// compatBody returns the body of a sealed callback in compatible mode: the plain elements besides.
func compatBody(message, encrypt string) string {
	return strings.TrimSuffix(message, "</xml>") + "<Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
}

// callback is a POST of WeChat's.
type callback struct{ path, query, body string }

// plain returns a plain callback.
func (s signer) plain(path, message string) callback {
	return callback{path, s.query(now()).Encode(), message}
}

// sealed returns a sealed one.
func (s signer) sealed(path, message string) callback {
	encrypt := s.seal(message)
	return callback{path, s.sealedQuery(now(), encrypt).Encode(), safeBody(encrypt)}
}

// of returns a callback as an account of that mode gets it.
func (s signer) of(mode accounts.Mode, message string) callback {
	if mode == accounts.Plain {
		return s.plain("/wechat/plain", message)
	}
	return s.sealed("/wechat/"+string(mode), message)
}

// post sends a callback.
func (f *fixture) post(t testing.TB, c callback) answer {
	t.Helper()
	return f.do(t, "POST", f.public+c.path+"?"+c.query, strings.NewReader(c.body))
}

// vector is a known answer that others' code made.
type vector struct {
	Name, Token, AppID, Timestamp, Nonce, Encrypt, Signature, Plaintext string
	Key                                                                 string `json:"encoding_aes_key"`
	MsgSignature                                                        string `json:"msg_signature"`
}

func (v vector) signer() signer { return signer{v.Token, v.Key, v.AppID} }

// callback returns the vector as WeChat sent it.
func (v vector) callback(path string) callback {
	q := url.Values{"timestamp": {v.Timestamp}, "nonce": {v.Nonce}, "encrypt_type": {"aes"}, "msg_signature": {v.MsgSignature}}
	return callback{path, q.Encode(), safeBody(v.Encrypt)}
}

// vectors returns the known answers.
func vectors(t testing.TB) (good, negative, plain []vector) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "internal", "wechat", "testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Crypto, Negative []vector
		URLSignature     []vector `json:"url_signature"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Crypto) == 0 || len(all.Negative) == 0 || len(all.URLSignature) == 0 {
		t.Fatal("vectors.json holds no vectors")
	}
	return all.Crypto, all.Negative, all.URLSignature
}
