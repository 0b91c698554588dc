package wechat

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Every sample written as JSON decodes to the same message.
func TestJSONSamples(t *testing.T) {
	for _, file := range inbound(t) {
		t.Run(file, func(t *testing.T) {
			body := sample(t, "inbound", file)
			want, err := Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := stdTree(body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode([]byte(asJSON(t, tree)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-XML +JSON:\n%s", diff)
			}
		})
	}
}

// asJSON writes the children of an element as an object, those that have one name as an array.
func asJSON(t *testing.T, e *wechatv1.Element) string {
	t.Helper()
	if len(e.GetChildren()) == 0 {
		b, err := json.Marshal(e.GetText())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var names []string
	values := map[string][]string{}
	for _, c := range e.GetChildren() {
		if values[c.GetName()] == nil {
			names = append(names, c.GetName())
		}
		values[c.GetName()] = append(values[c.GetName()], asJSON(t, c))
	}
	var members []string
	for _, name := range names {
		value := values[name][0]
		if len(values[name]) > 1 {
			value = "[" + strings.Join(values[name], ", ") + "]"
		}
		members = append(members, `"`+name+`": `+value)
	}
	return "{" + strings.Join(members, ",\n") + "}"
}

func TestJSON(t *testing.T) {
	said := func(content string, extra ...*wechatv1.Element) *wechatv1.Message {
		m := text(content)
		m.ToUserName, m.MsgType, m.Extra = "gh", "text", extra
		return m
	}
	with := func(member string) string { return `{"ToUserName":"gh","MsgType":"text",` + member + `}` }
	big := said("a")
	big.MsgId, big.CreateTime = 9007199254740993, 1767225600
	for _, test := range []struct {
		name, body string
		want       *wechatv1.Message
	}{
		{"numbers and texts", with(`"Content":"a","MsgId":9007199254740993,"CreateTime":"1767225600"`), big},
		{"blanks and a byte order mark", "\ufeff \n" + with(`"Content":"a"`) + "\n", said("a")},
		{"escapes", with(`"Content":"\u4e16\n\"\\\/\ud83d\ude00"`), said("世\n\"\\/😀")},
		{"control characters", with("\"Content\":\"a\x00b\x1fc\nd\\\\\x01\""), said("a\x00b\x1fc\nd\\\x01")},
		{"invalid UTF-8", with("\"Content\":\"a\xffb\""), said("a\ufffdb")},
		{"the first of two counts", with(`"Content":"a","Content":"b"`), said("a", elem("Content", "b"))},
		{"null is empty", with(`"Content":null,"MsgId":null`), said("")},
		{"true, false and decimals", with(`"Content":"a","B":true,"C":false,"D":1.50`), said("a", elem("B", "true"), elem("C", "false"), elem("D", "1.50"))},
		{"arrays and objects", with(`"Content":"a","L":[1,{"b":[2,3]},[],{}]`), said("a", elem("L", "1"), elem("L", "", elem("b", "2"), elem("b", "3")), elem("L", ""))},
		{"what follows the object", with(`"Content":"a"`) + `}]x`, said("a")},
	} {
		t.Run(test.name, func(t *testing.T) { checkDecode(t, test.body, test.want) })
	}
}

func TestJSONEnvelope(t *testing.T) {
	d, err := Parse([]byte(`{"ToUserName":"gh","Encrypt":"abc=="}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := d.Text("Encrypt"); got != "abc==" || !ok {
		t.Errorf("Encrypt is %q, %v", got, ok)
	}
}

func TestJSONRefused(t *testing.T) {
	for _, test := range []struct {
		name, body   string
		line, column int
		problem      string
	}{
		{"cut", `{"ToUserName":"s3cr3t"`, 1, 23, "ends inside"},
		{"cut in a text", `{"ToUserName":"s3cr3t`, 1, 15, "ends inside"},
		{"no value", `{"ToUserName":}`, 1, 15, "not JSON"},
		{"a word", "{\n\"ToUserName\":s3cr3t}", 2, 14, "not JSON"},
		{"empty object", "{}", 1, 1, "neither ToUserName nor Encrypt"},
		{"something else", `{"s3cr3t":1}`, 1, 1, "neither ToUserName nor Encrypt"},
		{"a name that is none", `{"ToUserName":"gh","s3cr3t b":1}`, 1, 30, "is not an element's name"},
		{"deep objects", `{"ToUserName":` + strings.Repeat(`{"a":`, 1000), 1, 0, "nest too deep"},
		{"deep arrays", `{"ToUserName":` + strings.Repeat(`[`, 1000), 1, 0, "nest too deep"},
		{"many members", `{"ToUserName":[` + strings.Repeat(`1,`, maxElements+1) + `1]}`, 1, 0, "too many"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.body))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Format != "JSON" || !strings.Contains(syntax.Problem, test.problem) || strings.Contains(err.Error(), "s3cr3t") {
				t.Fatalf("%v, want %q", err, test.problem)
			}
			if test.column > 0 && (syntax.Line != test.line || syntax.Column != test.column) {
				t.Errorf("line %d, column %d; want %d, %d", syntax.Line, syntax.Column, test.line, test.column)
			}
		})
	}
}

// FuzzJSON: no body breaks the reader.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"ToUserName":"gh","MsgType":"text","Content":"a","L":[1,{"b":2}]}`))
	f.Add([]byte("{\"Encrypt\":\"a\x00\\u0000\",\"a\":{\"b\":null}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) == 0 || body[0] != '{' {
			return
		}
		_, _ = Decode(body)
	})
}
