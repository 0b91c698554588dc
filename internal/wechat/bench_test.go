package wechat

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"testing"
)

// stdMessage is the flat struct that a program without this package would use.
type stdMessage struct {
	ToUserName   string
	FromUserName string
	CreateTime   int64
	MsgType      string
	Content      string
	MsgId        int64
}

func BenchmarkDecode(b *testing.B) {
	body := sample(b, "inbound", "msg.text.xml")
	b.Run("wechat", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			m, err := Decode(body)
			if err != nil || m.GetMsgId() == 0 {
				b.Fatal(m, err)
			}
		}
	})
	b.Run("encoding/xml", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var m stdMessage
			if err := xml.Unmarshal(body, &m); err != nil || m.MsgId == 0 {
				b.Fatal(m, err)
			}
		}
	})
}

// The least that the protocol asks for is AES-256-CBC, SHA-1 and base64 of the same bytes: what "primitives" measures.

func BenchmarkSeal(b *testing.B) {
	v := vectorOf(b, "own-reply")
	c, reply := v.cipher(b), []byte(v.Plaintext)
	b.Run("wechat", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(reply)))
		for b.Loop() {
			if out := c.SealReply(v.Token, reply, 1767225600, v.Nonce); len(out) == 0 {
				b.Fatal("nothing")
			}
		}
	})
	b.Run("primitives", func(b *testing.B) {
		buf := make([]byte, headLen+len(reply)+len(c.appID))
		buf = padded(buf, padBlock-len(buf)%padBlock)
		out := make([]byte, base64.StdEncoding.EncodedLen(len(buf)))
		signed := make([]byte, len(out)+len(v.Token)+len(v.Timestamp)+len(v.Nonce))
		b.ReportAllocs()
		b.SetBytes(int64(len(reply)))
		for b.Loop() {
			cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(buf, buf)
			base64.StdEncoding.Encode(out, buf)
			copy(signed, out)
			if sum := sha1.Sum(signed); sum[0] == 0 && sum[1] == 0 && sum[2] == 0 && sum[3] == 0 && sum[4] == 0 {
				b.Fatal("unlikely")
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	v := vectorOf(b, "own-text")
	c, message := v.cipher(b), []byte(v.Plaintext)
	b.Run("wechat", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(message)))
		for b.Loop() {
			if !VerifySignature(v.MsgSignature, v.Token, v.Timestamp, v.Nonce, v.Encrypt) {
				b.Fatal("msg_signature")
			}
			if got, err := c.Open(v.Encrypt); err != nil || len(got) != len(message) {
				b.Fatal(err)
			}
		}
	})
	b.Run("primitives", func(b *testing.B) {
		encrypt := []byte(v.Encrypt)
		signed := bytes.Join([][]byte{encrypt, []byte(v.Token), []byte(v.Timestamp), []byte(v.Nonce)}, nil)
		buf := make([]byte, base64.StdEncoding.DecodedLen(len(encrypt)))
		b.ReportAllocs()
		b.SetBytes(int64(len(message)))
		for b.Loop() {
			if sum := sha1.Sum(signed); sum[0] == 0 && sum[1] == 0 && sum[2] == 0 && sum[3] == 0 && sum[4] == 0 {
				b.Fatal("unlikely")
			}
			n, err := base64.StdEncoding.Decode(buf, encrypt)
			if err != nil {
				b.Fatal(err)
			}
			cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(buf[:n], buf[:n])
		}
	})
}

func BenchmarkEncodeReply(b *testing.B) {
	for _, bench := range []struct{ name, file string }{
		{"text", "text.xml"},
		{"text with ]]>", "text.cdata_end.xml"},
		{"news", "news.eight.xml"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			reply := replySamples()[bench.file]
			b.ReportAllocs()
			b.SetBytes(int64(len(sample(b, "replies", bench.file))))
			for b.Loop() {
				if out := EncodeReply(reply, replyTo, replyFrom, replyTime); out == nil {
					b.Fatal("nothing")
				}
			}
		})
	}
}

func BenchmarkVerifySignature(b *testing.B) {
	v := vectorOf(b, "own-text")
	b.Run("signature", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(v.Token) + len(v.Timestamp) + len(v.Nonce)))
		for b.Loop() {
			if !VerifySignature(v.Signature, v.Token, v.Timestamp, v.Nonce) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("msg_signature", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(v.Token) + len(v.Timestamp) + len(v.Nonce) + len(v.Encrypt)))
		for b.Loop() {
			if !VerifySignature(v.MsgSignature, v.Token, v.Timestamp, v.Nonce, v.Encrypt) {
				b.Fatal("refused")
			}
		}
	})
}
