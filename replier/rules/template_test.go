package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

func TestTemplate(t *testing.T) {
	for _, tt := range []struct{ template, want string }{
		{"", ""},
		{"plain", "plain"},
		{"{ } }} { { a }", "{ } }} { { a }"},
		{"{{message.text.content}}", "hello"},
		{"a {{ message.text.content }} b {{ message.account }}", "a hello b shop"},
		{"{{ message.account }}{{ message.account }}", "shopshop"},
		{"{{ message.text.content\n + '!' }}", "hello!"},
		{"你好 {{ '👋' + message.text.content }} 你好", "你好 👋hello 你好"},

		// The end of an expression: not inside a string or a map.
		{"{{ '}}' }}", "}}"},
		{`{{ "}}" + '{{' }}`, "}}{{"},
		{`{{ 'it\'s }}' }}`, "it's }}"},
		{`{{ "a\\" }}}}`, `a\}}`},
		{`{{ '"' + "'" }}`, `"'`},
		{`{{ '' + "" }}`, ""},
		{`{{ r'\' + R"\" }}`, `\\`},
		{`{{ """a "}}" b""" + '''}}'c''' }}`, `a "}}" b}}'c`},
		{`{{ string(b'}}') }}`, "}}"},
		{"{{ {'a': {'b': 'x'}}['a']['b'] }}", "x"},
		{"{{{'a': 'b'}.a}}", "b"},
		{"{{ {'}}': '}}'}['}}'] }}", "}}"},

		// Numbers and truth values.
		{"{{ 1 + 2 }}", "3"},
		{"{{ message.msg_id }}", "3272960105994287638"},
		{"{{ -9223372036854775808 }}", "-9223372036854775808"},
		{"{{ 18446744073709551615u }}", "18446744073709551615"},
		{"{{ message.idx == 0 }} {{ 1 > 2 }}", "true false"},
		{"{{ 2.0 }} {{ 1.5 }} {{ 0.1 + 0.2 }}", "2 1.5 0.30000000000000004"},
		{"{{ 1000000.0 }} {{ 12345678.5 }} {{ -1e-7 }}", "1000000 12345678.5 -0.0000001"},
		{"{{ message.text.content.size() }}", "5"},
		{"{{ message.extra.size() > 0 ? message.extra[0].text : 'none' }}", "none"},
		{"{{ dyn('text') }}", "text"},
	} {
		t.Run(tt.template, func(t *testing.T) {
			compiled, errs := compile(t, tt.template)
			if len(errs) > 0 {
				t.Fatalf("compile: %v", errs)
			}
			hello := text("hello")
			hello.MsgId = 3272960105994287638
			got, err := compiled.renderText(t.Context(), hello)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			_, constant := compiled.constantText()
			if hasExpression := strings.Contains(tt.template, "{{"); constant == hasExpression {
				t.Errorf("constant is %t", constant)
			}
		})
	}
}

// TestTemplateOffsets: an error points at the byte, whatever the characters before it.
func TestTemplateOffsets(t *testing.T) {
	for _, tt := range []struct {
		template string
		want     []expressionError
	}{
		{"ab {{ message", []expressionError{{3, "{{ has no }}; expected {{ expression }}"}}},
		{"你好 {{", []expressionError{{7, "{{ has no }}; expected {{ expression }}"}}},
		{"你好 {{ }}", []expressionError{{9, "the expression is empty; expected one such as message.text.content"}}},
		{"{{ message.nope }}", []expressionError{{10, "undefined field 'nope'"}}},
		{"你好 {{ message.nope }}", []expressionError{{17, "undefined field 'nope'"}}},
		{"{{ '你好👋' + message.nope }}", []expressionError{{25, "undefined field 'nope'"}}},
		{"{{ '你好' +\n '你' + message.nope }}", []expressionError{{30, "undefined field 'nope'"}}},
		{"{{ nope }} {{ nope2 }}", []expressionError{{3, "undeclared reference to 'nope'"}, {14, "undeclared reference to 'nope2'"}}},
		{"{{ nope }} {{", []expressionError{{3, "undeclared reference to 'nope'"}, {11, "{{ has no }}; expected {{ expression }}"}}},
		{"a {{ message.text }}", []expressionError{{4, "the expression returns a wechat.v1.Text; expected a text or a number"}}},
	} {
		t.Run(tt.template, func(t *testing.T) {
			_, got := compile(t, tt.template)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(expressionError{})); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTemplateFails: the error of an expression contains no word of the message.
func TestTemplateFails(t *testing.T) {
	const failed = "an expression of its reply failed on this message"
	for _, tt := range []struct{ name, template, want string }{
		{"no number", "{{ int(message.text.content) }}", failed},
		{"out of range", "{{ message.extra[0].text }}", failed},
		{"no such key", "{{ {'a': 'b'}[message.text.content] }}", failed},
		{"division by zero", "{{ 1 / message.idx }}", failed},
		{"bad pattern", "{{ 'a'.matches(message.text.content + '(') }}", failed},
		{"a bomb", "{{ " + bomb(8) + " }}", failed},
		{"not a text", "{{ dyn(message.text) }}", "an expression of its reply returned a *wechatv1.Text, expected a text or a number"},
		{"nothing", "{{ dyn(null) }}", "an expression of its reply returned a structpb.NullValue, expected a text or a number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compiled, errs := compile(t, tt.template)
			if len(errs) > 0 {
				t.Fatalf("compile: %v", errs)
			}
			got, err := compiled.renderText(t.Context(), text("my password"))
			if got != "" || err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// TestTemplateCost: the limit is far above what a reply needs.
func TestTemplateCost(t *testing.T) {
	compiled, errs := compile(t, "{{ "+bomb(3)+" }}")
	if len(errs) > 0 {
		t.Fatalf("compile: %v", errs)
	}
	if got, err := compiled.renderText(t.Context(), text("hello")); err != nil || got != "true" {
		t.Errorf("got %q, %v; want true", got, err)
	}
}

// bomb is an expression that takes 10^depth steps, and depends on the message.
func bomb(depth int) string {
	expression := "message.idx == 0"
	for i := range depth {
		expression = fmt.Sprintf("[0,1,2,3,4,5,6,7,8,9].all(v%d, %s)", i, expression)
	}
	return expression
}

func compile(tb testing.TB, source string) (textTemplate, []expressionError) {
	tb.Helper()
	x, err := newCompiler()
	if err != nil {
		tb.Fatal(err)
	}
	return x.compileTemplate(source)
}

// TestOffsetOf: a position after the end is the end.
func TestOffsetOf(t *testing.T) {
	for _, tt := range []struct {
		source       string
		line, column int
		want         int
	}{
		{"abc", 1, 0, 0},
		{"abc", 1, 2, 2},
		{"abc", 1, 9, 3},
		{"é\nbc", 2, 1, 4},
		{"", 1, 0, 0},
		{"abc", 3, 1, 1},
	} {
		if got := offsetOf(tt.source, tt.line, tt.column); got != tt.want {
			t.Errorf("offsetOf(%q, %d, %d) = %d, want %d", tt.source, tt.line, tt.column, got, tt.want)
		}
	}
}

// TestVariables: an expression sees the message, and nothing else.
func TestVariables(t *testing.T) {
	var names []string
	fields := (&wechatv1.Message{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		names = append(names, string(fields.Get(i).Name()))
	}
	for _, name := range names {
		if _, errs := compile(t, "{{ has(message."+name+") }}"); len(errs) > 0 {
			t.Errorf("message.%s: %v", name, errs)
		}
	}
}
