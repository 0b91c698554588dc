package sender

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

	"wxgate/internal/wechat"
)

// formatsOfReasons returns the formats with which reasons are made in the source of this package and of fakewechat.
func formatsOfReasons(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var formats []string
	for _, file := range append(files, own...) {
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
			if name != "Because" && name != "inBoth" && name != "refuse" && name != "warn" {
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
		words := translations[format]
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
		if translations[err.Error()] == "" {
			t.Errorf("%q has no Chinese", err)
		}
		known = append(known, err.Error())
	}
	for format := range translations {
		if !slices.Contains(known, format) {
			t.Errorf("no reason is %q", format)
		}
	}
}

// TestReasonChinese: arguments are in Chinese too, where they have words.
func TestReasonChinese(t *testing.T) {
	acc := testAccount(Safe)
	_, cipher, err := acc.newCipher()
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
		j := &judge{account: &acc, mode: Safe, cipher: cipher, callback: Callback{To: account, From: User, MsgType: "text"}}
		j.judgeBody([]byte(test.answer))
		if got := chineseTexts(j.refused); len(got) == 0 || got[0] != test.want {
			t.Errorf("%.40s: got %q; want %q", test.answer, got, test.want)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	other := errors.New("connection refused")
	r := fmt.Errorf("send: %w", Because("%s: no answer: %v", "127.0.0.1:1", other))
	if got, want := InChinese(r), "127.0.0.1:1：没有应答：connection refused"; got != want || !errors.Is(r, other) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got, want := InChinese(Because("no answer within %.1f s: %v", 0.0, late.Err())), "0.0 秒内没有应答：超时"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := InChinese(other); got != "connection refused" {
		t.Errorf("got %q; want the words as they are", got)
	}
}
