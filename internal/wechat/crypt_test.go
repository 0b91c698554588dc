package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseAESKey(t *testing.T) {
	good := vectorOf(t, "own-text").AESKey
	trailing := good[:42] + "F" // "E" and "F" differ in a bit that no byte has
	strict, err := base64.StdEncoding.DecodeString(good + "=")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, key string
		want      []byte // nil: refused
		problem   string
	}{
		{"good", good, strict, ""},
		{"unused bits set", trailing, strict, ""},
		{"empty", "", nil, "43 characters, this one has 0"},
		{"short", good[:42], nil, "43 characters, this one has 42"},
		{"padded", good + "=", nil, "43 characters, this one has 44"},
		{"URL alphabet", "-" + good[1:], nil, "only the characters"},
		{"a blank", good[:20] + " " + good[21:], nil, "only the characters"},
		{"padding for a character", good[:42] + "=", nil, "only the characters"},
		{"line breaks", good[:35] + "\n\r\n\r" + good[:4], nil, "only the characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseAESKey(test.key)
			if !bytes.Equal(got, test.want) {
				t.Errorf("key: %d bytes, want %d: %v", len(got), len(test.want), err)
			}
			switch {
			case test.want != nil && err != nil:
				t.Errorf("refused: %v", err)
			case test.want == nil && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("error %v, want one with %q", err, test.problem)
			case err != nil && strings.Contains(err.Error(), good[:8]):
				t.Errorf("the error tells the key: %v", err)
			}
			if _, cipherErr := NewCipher(test.key, "wx0000000000000001"); (cipherErr == nil) != (test.want != nil) {
				t.Errorf("NewCipher: %v", cipherErr)
			}
		})
	}
	if _, err := NewCipher(good, ""); err == nil || !strings.Contains(err.Error(), "AppID") {
		t.Errorf("NewCipher without an AppID: %v", err)
	}
}

// sealRaw encrypts plain as it is: no layout, no padding.
func sealRaw(c *Cipher, plain []byte) string {
	out := slices.Clone(plain)
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(out, out)
	return base64.StdEncoding.EncodeToString(out)
}

// layout returns the plaintext of an envelope that says it holds size bytes, before padding.
func layout(size uint32, rest string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte("0123456789abcdef"), size), rest...)
}

func padded(plain []byte, pad int) []byte {
	return append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
}

func TestOpenRefuses(t *testing.T) {
	const appID = "wx0000000000000001" // 18 characters
	v := vectorOf(t, "own-text")
	c := v.cipher(t)
	unequal := padded(layout(3, "abc"+appID), 7)
	unequal[len(unequal)-7] = 6
	raw := func(plain []byte) string { return sealRaw(c, plain) }
	tests := []struct {
		name, encrypt string
		want          error // nil: "abc"
	}{
		{"as it should be", raw(padded(layout(3, "abc"+appID), 7)), nil},
		{"padded by 16 more", raw(padded(layout(3, "abc"+appID), 23)), nil},
		{"empty", "", ErrDecrypt},
		{"one byte", "AA==", ErrDecrypt},
		{"a block and a half", base64.StdEncoding.EncodeToString(make([]byte, 24)), ErrDecrypt},
		{"URL alphabet", strings.NewReplacer("+", "-", "/", "_").Replace(v.Encrypt), ErrBase64},
		{"no base64 padding", strings.TrimRight(v.Encrypt, "="), ErrBase64},
		{"pad 0", raw(append(layout(3, "abc"+appID+"padpad"), 0)), ErrPadding},
		{"pad 33", raw(padded(layout(3, "abc"+appID+"012345"), 33)), ErrPadding},
		{"pad 255", raw(append(layout(3, "abc"+appID+"padpad"), 255)), ErrPadding},
		{"pad longer than all", raw(append(make([]byte, 15), 17)), ErrPadding},
		{"pad bytes differ", raw(unequal), ErrPadding},
		{"nothing but padding", raw(padded(nil, 32)), ErrPadding},
		{"19 bytes", raw(padded(layout(0, "")[:19], 13)), ErrPadding},
		{"one byte more than there are", raw(padded(layout(22, "abc"+appID), 7)), ErrPadding},
		{"length 2^32-1", raw(padded(layout(1<<32-1, "abc"+appID), 7)), ErrPadding},
		{"length 2^31", raw(padded(layout(1<<31, "abc"+appID), 7)), ErrPadding},
		{"a byte of the message goes to the AppID", raw(padded(layout(2, "abc"+appID), 7)), ErrAppID},
		{"another AppID", raw(padded(layout(3, "abcwx0000000000000002"), 7)), ErrAppID},
		{"AppID in another case", raw(padded(layout(3, "abcWX0000000000000001"), 7)), ErrAppID},
		{"AppID cut", raw(padded(layout(3, "abcwx000000000000000"), 8)), ErrAppID},
		{"no AppID", raw(padded(layout(3, "abc"), 9)), ErrAppID},
		{"a message and no AppID", raw(padded(layout(21, "abc"+appID), 7)), ErrAppID},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := c.Open(test.encrypt)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if want := "abc"; err == nil && string(got) != want {
				t.Errorf("%q, want %q", got, want)
			}
			if err != nil && got != nil {
				t.Errorf("%q beside an error", got)
			}
		})
	}
}

// A message of every length up to two blocks opens again: all paddings from 1 to 32 occur.
func TestSealOpens(t *testing.T) {
	c := vectorOf(t, "own-text").cipher(t)
	pads := map[int]bool{}
	for n := range 2 * padBlock {
		message := bytes.Repeat([]byte{'m'}, n)
		sealed := c.Seal(message)
		got, err := c.Open(sealed)
		if err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%d bytes: %q, %v", n, got, err)
		}
		if len(got) != cap(got) {
			t.Errorf("%d bytes: an append to the message would write into the AppID", n)
		}
		size := base64.StdEncoding.DecodedLen(len(sealed)) - strings.Count(sealed, "=")
		if size%padBlock != 0 {
			t.Errorf("%d bytes: sealed to %d bytes, no multiple of 32", n, size)
		}
		pads[size-headLen-n-len(c.appID)] = true
	}
	for pad := 1; pad <= padBlock; pad++ {
		if !pads[pad] {
			t.Errorf("no envelope was padded by %d", pad)
		}
	}
	if len(pads) != padBlock {
		t.Errorf("%d paddings, want %d", len(pads), padBlock)
	}
	if a, b := c.Seal([]byte("m")), c.Seal([]byte("m")); a == b {
		t.Error("two envelopes of one message are equal: the random bytes are not")
	}
}

func TestSealReply(t *testing.T) {
	v := vectorOf(t, "own-reply")
	c := v.cipher(t)
	want, reply := string(sample(t, "replies", "envelope.xml")), sample(t, "replies", "text.xml")
	got := c.SealReply(v.Token, reply, 1767225600, v.Nonce)

	d, err := Parse(got)
	if err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	encrypt, _ := d.Text("Encrypt")
	signature, _ := d.Text("MsgSignature")
	if opened, err := c.Open(encrypt); err != nil || !bytes.Equal(opened, reply) {
		t.Errorf("opens to %q, %v", opened, err)
	}
	if !VerifySignature(signature, v.Token, v.Timestamp, v.Nonce, encrypt) {
		t.Error("MsgSignature is wrong")
	}
	// But for the random bytes the envelope is the sample.
	same := strings.NewReplacer(encrypt, v.Encrypt, signature, v.MsgSignature).Replace(string(got))
	if same != want {
		t.Errorf("envelope:\n%s, want\n%s", same, want)
	}
	if again := c.SealReply(v.Token, reply, 1767225600, v.Nonce); bytes.Equal(again, got) {
		t.Error("two envelopes of one reply are equal: the random bytes are not")
	}
}

// The sample envelopes, inbound and outbound, open to the messages that they were made of.
func TestSampleEnvelopes(t *testing.T) {
	c := vectorOf(t, "own-text").cipher(t)
	message := strings.TrimSuffix(string(sample(t, "inbound", "msg.text.xml")), "\n")
	for _, test := range []struct{ dir, file, want string }{
		{"inbound", "envelope.safe.xml", message},
		{"inbound", "envelope.compat.xml", message},
		{"replies", "envelope.xml", string(sample(t, "replies", "text.xml"))},
	} {
		d, err := Parse(sample(t, test.dir, test.file))
		if err != nil {
			t.Fatalf("%s: %v", test.file, err)
		}
		encrypt, ok := d.Text("Encrypt")
		got, err := c.Open(encrypt)
		if !ok || err != nil || string(got) != test.want {
			t.Errorf("%s: %t, %v, opens to\n%s, want\n%s", test.file, ok, err, got, test.want)
		}
	}
}

// One Cipher serves all requests of an account at once; the race detector watches.
func TestCipherConcurrent(t *testing.T) {
	c := vectorOf(t, "own-text").cipher(t)
	done := make(chan error)
	for i := range 8 {
		go func() {
			message := bytes.Repeat([]byte{byte('a' + i)}, 50*aes.BlockSize)
			got, err := c.Open(c.Seal(message))
			if err == nil && !bytes.Equal(got, message) {
				err = errors.New("another message came out")
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
