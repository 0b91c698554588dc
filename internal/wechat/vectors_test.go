package wechat

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// vector is one known answer; the names are those of testdata/vectors.json.
type vector struct {
	Name         string `json:"name"`
	Kind         string `json:"kind"` // "decrypt": a callback; "both": a reply, too
	Token        string `json:"token"`
	AESKey       string `json:"encoding_aes_key"`
	AppID        string `json:"appid"`
	Timestamp    string `json:"timestamp"`
	Nonce        string `json:"nonce"`
	Random       string `json:"random"`
	Plaintext    string `json:"plaintext"`
	Encrypt      string `json:"encrypt"`
	Signature    string `json:"signature"`
	MsgSignature string `json:"msg_signature"`
}

type vectors struct {
	Crypto       []vector `json:"crypto"`
	Negative     []vector `json:"negative"`
	URLSignature []vector `json:"url_signature"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// vectorOf returns the vector of crypto with that name.
func vectorOf(t testing.TB, name string) vector {
	t.Helper()
	for _, v := range readVectors(t).Crypto {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("testdata/vectors.json has no %s", name)
	return vector{}
}

func (v vector) cipher(t testing.TB) *Cipher {
	t.Helper()
	c, err := NewCipher(v.AESKey, v.AppID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVectorsCrypto(t *testing.T) {
	all := readVectors(t).Crypto
	if len(all) < 7 {
		t.Fatalf("%d vectors, expected all 7", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			c := v.cipher(t)
			got, err := c.Open(v.Encrypt)
			if err != nil || string(got) != v.Plaintext {
				t.Errorf("Open: %q, %v; want %q", got, err, v.Plaintext)
			}
			if got := Signature(v.Token, v.Timestamp, v.Nonce, v.Encrypt); got != v.MsgSignature {
				t.Errorf("msg_signature: %s, want %s", got, v.MsgSignature)
			}
			if got := Signature(v.Token, v.Timestamp, v.Nonce); got != v.Signature {
				t.Errorf("signature: %s, want %s", got, v.Signature)
			}
			if v.Kind != "both" && v.Kind != "decrypt" {
				t.Fatalf("unknown kind %q", v.Kind)
			}
			// Those of kind "decrypt" name their random bytes too, so all can be sealed again.
			var random [randomLen]byte
			if copy(random[:], v.Random) != len(random) {
				t.Fatalf("random has %d bytes", len(v.Random))
			}
			if got := c.appendSealed([]byte("head "), []byte(v.Plaintext), random); string(got) != "head "+v.Encrypt {
				t.Errorf("sealed:\n%s, want\n%s", got, "head "+v.Encrypt)
			}
		})
	}
}

func TestVectorsNegative(t *testing.T) {
	want := map[string]error{
		"neg-other-appid": ErrAppID,
		"neg-pad-33":      ErrPadding,
		"neg-too-short":   ErrPadding,
		"neg-not-base64":  ErrBase64,
	}
	all := readVectors(t).Negative
	if len(all) != len(want) {
		t.Errorf("%d vectors, %d expectations", len(all), len(want))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			// The signature is good, so only Open can refuse it.
			if !VerifySignature(v.MsgSignature, v.Token, v.Timestamp, v.Nonce, v.Encrypt) {
				t.Error("the vector's own msg_signature is refused")
			}
			got, err := v.cipher(t).Open(v.Encrypt)
			if want[v.Name] == nil || !errors.Is(err, want[v.Name]) || got != nil {
				t.Errorf("Open: %q, %v; want %v", got, err, want[v.Name])
			}
		})
	}
}

func TestVectorsURLSignature(t *testing.T) {
	all := readVectors(t).URLSignature
	if len(all) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range all {
		if got := Signature(v.Token, v.Timestamp, v.Nonce); got != v.Signature {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Signature)
		}
	}
}

func TestVerifySignature(t *testing.T) {
	v := vectorOf(t, "own-text")
	good := v.Signature
	tests := []struct {
		name, signature string
		parts           []string
		want            bool
	}{
		{"good", good, []string{v.Token, v.Timestamp, v.Nonce}, true},
		{"parts in another order", good, []string{v.Nonce, v.Token, v.Timestamp}, true},
		{"msg_signature", v.MsgSignature, []string{v.Token, v.Timestamp, v.Nonce, v.Encrypt}, true},
		{"upper case", strings.ToUpper(good), []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"empty", "", []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"truncated", good[:39], []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"longer", good + "0", []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"blank behind", good + " ", []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"first character off", "5" + good[1:], []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"last character off", good[:39] + "e", []string{v.Token, v.Timestamp, v.Nonce}, false},
		{"another token", good, []string{v.Token + "x", v.Timestamp, v.Nonce}, false},
		{"another nonce", good, []string{v.Token, v.Timestamp, v.Nonce + "1"}, false},
		{"msg_signature without its Encrypt", v.MsgSignature, []string{v.Token, v.Timestamp, v.Nonce}, false},
	}
	for _, test := range tests {
		if got := VerifySignature(test.signature, test.parts...); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}

// Signature must not reorder its caller's parts, and sorts bytewise: "+" and "/" come before digits and letters.
func TestSignatureSorts(t *testing.T) {
	parts := []string{"b", "/a", "A", "+z", "0"}
	want := Signature("+z/a0Ab")
	if got := Signature(parts...); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := strings.Join(parts, " "); got != "b /a A +z 0" {
		t.Errorf("the caller's parts are now %q", got)
	}
	long := strings.Repeat("x", 4000) // longer than the room that sign starts with
	if a, b := Signature(long, "a"), Signature("a"+long); a != b {
		t.Errorf("long parts: %s, want %s", a, b)
	}
}
