package wechat

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// FuzzDecode: no body breaks the reader, and what encoding/xml accepts we read alike.
func FuzzDecode(f *testing.F) {
	for _, file := range inbound(f) {
		f.Add(sample(f, "inbound", file))
	}
	for file := range replySamples() {
		f.Add(sample(f, "replies", file))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := Parse(body)
		checkAgainstStd(t, body, d, err)
		m, decodeErr := Decode(body)
		if err != nil {
			var syntax *SyntaxError
			if !errors.Is(err, ErrDoctype) && !errors.As(err, &syntax) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			if m != nil || decodeErr == nil || decodeErr.Error() != err.Error() {
				t.Fatalf("Decode: %v, %v; Parse: %v", m, decodeErr, err)
			}
			if syntax != nil && (syntax.Line < 1 || syntax.Column < 1) {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		if m.GetContent() == nil {
			t.Fatal("a message without content")
		}
		// gRPC must be able to carry it: only valid UTF-8 can be.
		if _, err := proto.Marshal(m); err != nil {
			t.Fatalf("the message cannot be sent: %v", err)
		}
		checkRoundTrip(t, body) // so nothing is lost
	})
}

// paddedReference finds character references too long for us to read, which XML allows.
var paddedReference = regexp.MustCompile(`&#x?0000`)

// checkAgainstStd fails where encoding/xml accepts body and our tree is another. Skipped is what the two treat
// differently on purpose: line ends, namespaces, long references, documents beyond our limits.
func checkAgainstStd(t *testing.T, body []byte, d *Document, err error) {
	if bytes.ContainsAny(body, "\r") || bytes.Contains(body, []byte("xmlns")) || paddedReference.Match(body) {
		return
	}
	want, stdErr := stdTree(body)
	if stdErr != nil || want.GetName() != rootName {
		return
	}
	depth, n, prefixed := measure(want)
	if depth > maxDepth || n > maxElements || prefixed {
		return
	}
	if err != nil {
		t.Fatalf("encoding/xml accepts what we refuse: %v", err)
	}
	want.Text = d.nodeText(0) // a callback's own text says nothing
	got := d.genericElement(0)
	forgiveRejoined(want, got)
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Fatalf("-encoding/xml +ours:\n%s", diff)
	}
}

// forgiveRejoined makes want, the tree of encoding/xml, as got where ours is a text that broke out of its CDATA section and
// began another: to XML they are two texts with markup between.
func forgiveRejoined(want, got *wechatv1.Element) {
	text := got.GetText()
	if open := strings.Index(text, cdataClose); open >= 0 && strings.Contains(text[open:], cdataOpen) && len(got.GetChildren()) == 0 {
		want.Text, want.Children = text, nil
		return
	}
	for i, child := range want.GetChildren() {
		if i < len(got.GetChildren()) {
			forgiveRejoined(child, got.GetChildren()[i])
		}
	}
}

// FuzzUserText: what a user writes reaches a bot as the text of the message, and as nothing else, whether WeChat splits a
// "]]>" in it or not.
func FuzzUserText(f *testing.F) {
	for _, text := range []string{"hello", "]]>", "]]><b>x</b><![CDATA[", "]]><FromUserName>oForged</FromUserName><![CDATA[", "a]]>b<![CDATA[c",
		"]]]]><![CDATA[>", "]]><!doctype x>", "]]><!-- c --><![CDATA[", "]]></Content><MsgType>event</MsgType><Content><![CDATA[", "&lt;", "]]>&gt;<![CDATA["} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		m, err := Decode([]byte(callback(string(rawElement(nil, "Content", text)))))
		if err != nil || m.GetText().GetContent() != text || len(m.GetExtra()) > 0 {
			t.Fatalf("split: %q is read as %v, %v", text, m, err)
		}
		if m, err = Decode([]byte(saying(text))); err != nil {
			if !strings.Contains(text, "</Content") {
				t.Fatalf("not split: %q: %v", text, err)
			}
			return // the text left its element, and the document is malformed
		}
		if m.GetFromUserName() != said("").GetFromUserName() || m.GetToUserName() != said("").GetToUserName() || m.GetMsgType() != "text" {
			t.Fatalf("not split: %q forges %v", text, m)
		}
		if got := m.GetText().GetContent(); !strings.Contains(text, "</Content") && (len(m.GetExtra()) > 0 || got != text && !strings.Contains(text, cdataOpen)) {
			t.Fatalf("not split: %q is read as %v", text, m)
		}
	})
}

// measure returns the depth of e, how many elements it has, and whether the name of one has a prefix, which encoding/xml
// takes off.
func measure(e *wechatv1.Element) (depth, n int, prefixed bool) {
	depth, n, prefixed = 1, 1, strings.Contains(e.GetName(), ":")
	for _, c := range e.GetChildren() {
		d, m, p := measure(c)
		depth, n, prefixed = max(depth, d+1), n+m, prefixed || p
	}
	return depth, n, prefixed
}

// FuzzOpen: no Encrypt text breaks Open, and what we seal opens to itself.
func FuzzOpen(f *testing.F) {
	all := readVectors(f)
	for _, v := range append(all.Crypto, all.Negative...) {
		f.Add([]byte(v.Plaintext), v.Encrypt)
	}
	f.Add([]byte{}, "")
	c := vectorOf(f, "own-text").cipher(f)
	f.Fuzz(func(t *testing.T, message []byte, encrypt string) {
		if got, err := c.Open(c.Seal(message)); err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%q opens to %q, %v", message, got, err)
		}
		got, err := c.Open(encrypt)
		switch {
		case err == nil:
			// Whoever made it, it is an envelope of ours: sealed once more it opens to the same.
			if again, err := c.Open(c.Seal(got)); err != nil || !bytes.Equal(again, got) {
				t.Fatalf("%q, sealed again, opens to %q, %v", got, again, err)
			}
		case got != nil:
			t.Fatalf("%q beside %v", got, err)
		case !errors.Is(err, ErrBase64) && !errors.Is(err, ErrDecrypt) && !errors.Is(err, ErrPadding) && !errors.Is(err, ErrAppID):
			t.Fatalf("an error of no known kind: %v", err)
		}
		// The same bytes as plaintext: all that stands behind the cipher is reached.
		plain := message[:len(message)/padBlock*padBlock]
		if got, err := c.Open(sealRaw(c, plain)); err == nil && !bytes.Contains(plain, got) {
			t.Fatalf("%q opens to %q", plain, got)
		}
	})
}

// FuzzEncodeReply: every text is read back, less what XML cannot hold.
func FuzzEncodeReply(f *testing.F) {
	for _, reply := range replySamples() {
		f.Add(reply.GetText().GetContent())
	}
	for _, text := range []string{"]]>", "]]\x00>", "\ufffe", "\xff", "a\r\nb", "\ufffd", "]]]]><![CDATA[>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkTextReply(t, text)
		if out := EncodeReply(textReply(text), "o", "gh", 1); !utf8.Valid(out) {
			t.Fatalf("invalid UTF-8: %q", out)
		}
	})
}

// Documents put together at random from pieces of XML, so that many are well-formed, read like with encoding/xml.
func TestParseLikeStd(t *testing.T) {
	pieces := []string{
		"a", " ", "\n", "世", "&lt;", "&#65;", "&#x4e16;", "&", "]]", ">", "]]>", "<!-- c -->", "<!-->", "<!--->", "--", "<?p q?>",
		"<?p?>", "<![CDATA[", "<![CDATA[]]>", "<![CDATA[ <b> & ]] ]]>", "<a>", "</a>", "<a x='>'>", "<a y=\"/\" />", "<a/>", "</a >",
		"<b><![CDATA[1]]></b>", "<b> <c/> </b>", "<c>2</c>", "</xml>", "<xml>", "<é>", "</é>", "\ufeff", "\x00", "\xff",
	}
	r := rand.New(rand.NewPCG(3, 4))
	accepted := 0
	for range 10_000 {
		body := []byte("<xml>")
		if r.IntN(8) == 0 {
			body = []byte("<?xml version='1.0'?> <!-- <xml> --><xml>")
		}
		open := 0
		for range r.IntN(10) {
			piece := pieces[r.IntN(len(pieces))]
			switch piece {
			case "<a>", "<a x='>'>":
				open++
			case "</a>", "</a >":
				open--
			}
			body = append(body, piece...)
		}
		body = append(append(body, strings.Repeat("</a>", max(open, 0))...), "</xml>"...)
		d, err := Parse(body)
		checkAgainstStd(t, body, d, err)
		if _, err := stdTree(body); err == nil {
			accepted++
		}
	}
	if accepted < 1000 {
		t.Errorf("encoding/xml accepts only %d of the documents", accepted)
	}
}
