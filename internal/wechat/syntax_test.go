package wechat

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// secret stands in bodies for what an error must not tell.
const secret = "s3cr3t"

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name, body   string
		line, column int
		problem      string
	}{
		{"empty", "", 1, 1, "empty"},
		{"blanks", " \n\t\n ", 3, 2, "empty"},
		{"byte order mark", "\ufeff", 1, 1, "empty"},
		{"only a comment", "<!-- s3cr3t -->\n", 2, 1, "empty"},
		{"junk", secret, 1, 1, "text where the root"},
		{"junk behind a prolog", "<?xml version='1.0'?>\n s3cr3t", 2, 2, "text where the root"},
		{"NUL", "\x00<xml/>", 1, 1, "text where the root"},
		{"JSON of something else", `{"Content":"s3cr3t"}`, 1, 1, "neither ToUserName nor Encrypt"},
		{"JSON list", `["s3cr3t"]`, 1, 1, "text where the root"},
		{"form", "Content=s3cr3t&MsgType=text", 1, 1, "text where the root"},
		{"UTF-16", "\xff\xfe<\x00x\x00m\x00l\x00>\x00", 1, 1, "text where the root"},
		{"HTML", "<html>\n<body>s3cr3t<br></body></html>", 1, 1, "the root element is not <xml>"},
		{"HTML further down", "\n\n  <html/>", 3, 3, "the root element is not <xml>"},
		{"root in another case", "<XML></XML>", 1, 1, "the root element is not <xml>"},
		{"root with another name's beginning", "<xml2/>", 1, 1, "the root element is not <xml>"},
		{"root with a prefix", "<a:xml/>", 1, 1, "the root element is not <xml>"},
		{"CDATA before the root", "<![CDATA[s3cr3t]]><xml/>", 1, 1, "unknown markup"},
		{"entity declaration", "<!ENTITY s3cr3t 'x'><xml/>", 1, 1, "unknown markup"},
		{"prolog without end", "<?xml s3cr3t", 1, 1, "has no end"},
		{"comment without end", "<xml>\n<!-- s3cr3t ->", 2, 1, "has no end"},
		{"comment that ends in its own beginning", "<!-->", 1, 1, "has no end"},
		{"no name", "<xml>< s3cr3t></xml>", 1, 7, "without an element's name"},
		{"no name in the root", "<>", 1, 2, "without an element's name"},
		{"a name from a digit", "<xml><1s3cr3t/></xml>", 1, 7, "without an element's name"},
		{"a name with a control character", "<xml><s3cr3t\x00/></xml>", 1, 13, "malformed"},
		{"start tag cut by another", "<xml><a <s3cr3t>", 1, 9, "malformed"},
		{"start tag without end", "<xml>\n<a s3cr3t", 2, 10, "start tag has no end"},
		{"quote without end", "<xml a='s3cr3t>", 1, 16, "start tag has no end"},
		{"only the root's name", "<xml", 1, 5, "start tag has no end"},
		{"no end tag", "<xml>\ns3cr3t", 2, 7, "ends inside an element"},
		{"no end tag of a child", "<xml><a>s3cr3t</xml>", 1, 15, "does not match"},
		{"end tag in another case", "<xml><s3cr3t></S3CR3T></xml>", 1, 14, "does not match"},
		{"end tag with more", "<xml><a></a s3cr3t></xml>", 1, 9, "does not match"},
		{"end tag cut", "<xml></xml", 1, 6, "does not match"},
		{"crossed", "<xml><a><b></a></b></xml>", 1, 12, "does not match"},
		{"columns count bytes", "<xml><b>世</a>", 1, 12, "does not match"},
		{"CDATA without end", "<xml>\n <![CDATA[s3cr3t]]</xml>", 2, 2, "has no end"},
		{"CDATA in lower case", "<xml><![cdata[s3cr3t]]></xml>", 1, 6, "unknown markup"},
		{"]]> in text", "<xml><a>s3cr3t]]></a></xml>", 1, 9, "]]> outside"},
		{"another encoding", "<?xml version=\"1.0\" encoding=\"GBK\"?><xml>s3cr3t</xml>", 1, 1, "not UTF-8"},
		{"another encoding, in quotes", "<?xml version='1.0' encoding = 'gb2312' standalone='yes'?>\n<xml/>", 1, 1, "not UTF-8"},
		{"another encoding, after a mark", "\ufeff<?xml version='1.0' encoding='UTF-16'?><xml/>", 1, 1, "not UTF-8"},
		{"unknown markup", "<xml><!s3cr3t></xml>", 1, 6, "unknown markup"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode([]byte(test.body))
			var syntax *SyntaxError
			if got != nil || !errors.As(err, &syntax) {
				t.Fatalf("%v, %v; want a SyntaxError", got, err)
			}
			if syntax.Line != test.line || syntax.Column != test.column || !strings.Contains(syntax.Problem, test.problem) {
				t.Errorf("%v; want line %d, column %d, %q", err, test.line, test.column, test.problem)
			}
			if strings.Contains(strings.ToLower(err.Error()), secret) {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

func TestSyntaxErrorText(t *testing.T) {
	err := &SyntaxError{Format: "XML", Line: 2, Column: 3, Problem: "odd"}
	if got, want := err.Error(), "not a callback's XML: line 2, column 3: odd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDecodeDoctype(t *testing.T) {
	const laughs = `<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol">
 <!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">
]>
<xml><Content>&lol2;</Content></xml>`
	for name, body := range map[string]string{
		"billion laughs":     laughs,
		"external entity":    `<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><Content>&x;</Content></xml>`,
		"HTML":               "<!doctype html><html></html>",
		"mixed case":         "<!DocType xml>" + saying("a"),
		"after declaration":  "<?xml version='1.0'?>\n<!-- c --><!DOCTYPE xml>" + saying("a"),
		"byte order mark":    "\ufeff<!DOCTYPE xml>" + saying("a"),
		"in the root":        "<xml><!DOCTYPE xml></xml>",
		"in an element":      callback("<Content>a<!DOCTYPE xml></Content>"),
		"out of its element": saying("a]]></Content><!doctype xml>"),
		"without a name":     "<!DOCTYPE",
	} {
		if got, err := Decode([]byte(body)); got != nil || !errors.Is(err, ErrDoctype) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, ErrDoctype)
		}
	}
	// Entities that nobody declared are text.
	checkDecode(t, callback("<Content>&lol2;</Content>"), said("&lol2;"))
}

// A body that was cut anywhere is refused as a whole: no half message, no panic, nothing of it in the error.
func TestDecodeTruncated(t *testing.T) {
	for _, body := range []string{
		string(sample(t, "inbound", "msg.text.xml")),
		string(sample(t, "inbound", "event.subscribe_msg_popup_event.xml")),
		"\ufeff<?xml version='1.0'?><!-- c -->" + saying("a]]><b>&amp;"),
	} {
		end := strings.Index(body, "</xml>") + len("</xml>")
		if _, err := Decode([]byte(body[:end])); err != nil {
			t.Fatalf("all of it: %v", err)
		}
		for n := range end {
			got, err := Decode([]byte(body[:n]))
			var syntax *SyntaxError
			if got != nil || !errors.As(err, &syntax) {
				t.Errorf("%q: %v, %v; want a SyntaxError", body[:n], got, err)
			} else if strings.Contains(err.Error(), "hello") || strings.Contains(err.Error(), "oGateway") {
				t.Errorf("the error quotes the body: %v", err)
			}
		}
	}
}

func TestParseLimits(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat("<xml>", depth) + strings.Repeat("</xml>", depth) }
	many := func(n int) string { return "<xml>" + strings.Repeat("<a/>", n-1) + "</xml>" }
	mends := func(n int) string { return "<xml>" + strings.Repeat("<a><![CDATA[x]]>&]]></a>", n) + "</xml>" }
	tests := []struct {
		name, body, problem string // problem "": accepted
	}{
		{"depth 64", nested(64), ""},
		{"depth 65", nested(65), "too deep"},
		{"depth 100,000, unclosed", strings.Repeat("<xml>", 100_000), "too deep"},
		{"siblings are not deep", "<xml>" + strings.Repeat("<a><b/></a>", 100) + "</xml>", ""},
		{"10,000 elements", many(10_000), ""},
		{"10,001 elements", many(10_001), "too many"},
		{"16 mends", mends(16), ""},
		{"17 mends", mends(17), "]]> outside"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.body))
			var syntax *SyntaxError
			switch {
			case test.problem == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.problem != "" && (!errors.As(err, &syntax) || !strings.Contains(syntax.Problem, test.problem)):
				t.Errorf("error %v, want one with %q", err, test.problem)
			}
		})
	}
}

// Documents of MaxBody that would take minutes if each of their parts cost a look at all the others.
func TestDecodeLarge(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, (MaxBody-1000)/len(s)) }
	count := func(s string) int { return (MaxBody - 1000) / len(s) }
	tests := []struct {
		name, body string
		want       *wechatv1.Message // nil: refused
	}{
		{"one text", saying(fill("世")), said(fill("世"))},
		{"CDATA sections", callback("<Content>" + fill("<![CDATA[x]]>") + "</Content>"),
			said(strings.Repeat("x", count("<![CDATA[x]]>")))},
		{"empty CDATA sections", callback("<Content>" + fill("<![CDATA[]]>") + "y</Content>"), said("y")},
		{"lone ampersands", callback("<Content>" + fill("&") + "</Content>"), said(fill("&"))},
		{"references", callback("<Content>" + fill("&lt;") + "</Content>"), said(strings.Repeat("<", count("&lt;")))},
		{"comments", callback("<Content>" + fill("<!---->") + "a</Content>"), said("a")},
		{"a text of ends", saying(fill("]]>")), said(fill("]]>"))},
		{"a text of ends and blanks", saying(fill("]]> \n")), said(fill("]]> \n"))},
		{"a text of end tags", saying("]]>" + fill("</Content")), said("]]>" + fill("</Content"))},
		{"a text of end tags and blanks", saying("]]></Content" + fill(" ")), said("]]></Content" + fill(" "))},
		{"invalid UTF-8", saying(fill("\xffa")), said(strings.Repeat("\ufffda", count("\xffa")))},
		{"comments without end", "<xml>" + fill("<!--"), nil},
		{"open elements that begin with CDATA", "<xml>" + fill("<a><![CDATA[x]]>"), nil},
		{"elements to mend, one in the other", "<xml>" + fill("<a><![CDATA[x]]>]]>"), nil},
		{"elements to mend", "<xml>" + fill("<a><![CDATA[x]]>]]></a>") + "</xml>", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode([]byte(test.body))
			if (err != nil) != (test.want == nil) {
				t.Fatalf("error %v, got a message: %t", err, got != nil)
			}
			if !cmp.Equal(test.want, got, protocmp.Transform()) { // a diff of such texts is no help
				t.Errorf("%d bytes of text, want %d", len(got.GetText().GetContent()), len(test.want.GetText().GetContent()))
			}
		})
	}
}
