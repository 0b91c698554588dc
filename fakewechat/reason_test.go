package fakewechat

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/wechat"
)

// formatsOfReasons returns the formats with which reasons are made in the package's source.
func formatsOfReasons(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var formats []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if name != "because" && name != "inBoth" && name != "refuse" && name != "warn" {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok { // refuse hands its own on
				return true
			}
			format, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			formats = append(formats, format)
			return true
		})
	}
	return formats
}

// TestReasonsInChinese: each reason has Chinese words, with the same arguments, and no words are left over.
func TestReasonsInChinese(t *testing.T) {
	verb := regexp.MustCompile(`%[.\d]*[a-z]`)
	formats := formatsOfReasons(t)
	if len(formats) < 40 {
		t.Fatalf("%d formats", len(formats))
	}
	for _, format := range formats {
		words := chinese[format]
		if format == "%v" { // an error's own words
			continue
		}
		if !regexp.MustCompile(`\p{Han}`).MatchString(words) {
			t.Errorf("%q has no Chinese", format)
		}
		if got, want := verb.FindAllString(words, -1), verb.FindAllString(format, -1); !slices.Equal(got, want) {
			t.Errorf("%q has the arguments %q; want %q", words, got, want)
		}
	}
	known := slices.Concat(formats, []string{"the envelope", "the envelope's "})
	for _, err := range []error{wechat.ErrBase64, wechat.ErrDecrypt, wechat.ErrPadding, wechat.ErrAppID} {
		if chinese[err.Error()] == "" {
			t.Errorf("%q has no Chinese", err)
		}
		known = append(known, err.Error())
	}
	for format := range chinese {
		if !slices.Contains(known, format) {
			t.Errorf("no reason is %q", format)
		}
	}
}

// TestReasonChinese: arguments are in Chinese too, where they have words.
func TestReasonChinese(t *testing.T) {
	acc := testAccount(Safe)
	_, cipher, err := acc.cipher()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ answer, want string }{
		{seal(t, acc, "{}"), "密文里：应答是 JSON；公众号只接受 XML"},
		{"{}", "应答是 JSON；公众号只接受 XML"},
		{"<xml><Encrypt>e</Encrypt><MsgSignature>m</MsgSignature><TimeStamp>1</TimeStamp></xml>", "外层 XML 的 Nonce 缺失"},
		{"<xml>the envelope</xml>", "回复是明文 XML；安全模式下必须加密"},
		{"<xml><Encrypt/>x</xml>", "外层 XML 的 Encrypt 是空的"},
	} {
		j := &judge{account: &acc, mode: Safe, cipher: cipher, request: request{to: account, from: User, msgType: "text"}}
		j.body([]byte(test.answer))
		if got := allInChinese(j.refused); len(got) == 0 || got[0] != test.want {
			t.Errorf("%.40s: got %q; want %q", test.answer, got, test.want)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	other := errors.New("connection refused")
	r := fmt.Errorf("send: %w", because("%s: no answer: %v", "127.0.0.1:1", other))
	if got, want := inChinese(r), "127.0.0.1:1：没有应答：connection refused"; got != want || !errors.Is(r, other) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got, want := inChinese(noAnswer(late, time.Now())), "0.0 秒内没有应答：超时"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := inChinese(other); got != "connection refused" {
		t.Errorf("got %q; want the words as they are", got)
	}
}

// TestChatReasons: the page gets the judge's words in both languages.
func TestChatReasons(t *testing.T) {
	gw, _ := gateway(t, 502, fixed(""))
	s := newSite(t, Config{Gateway: gw})
	t.Cleanup(s.platform.Close)
	p := s.open(t)
	s.post(t, "/fake/lines", saying("hi"), nil)
	l := p.done()
	if diff := cmp.Diff([]string{"the status is 502, not 200"}, l.Refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{"状态码是 502，不是 200"}
	if diff := cmp.Diff([][]string{want, want}, [][]string{l.RefusedZH, l.Attempts[0].RefusedZH}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
