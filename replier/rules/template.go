package rules

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	wechatv1 "wxgate/proto/wechat/v1"
)

// printable lists the types of values that can be part of a text.
var printable = []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType, cel.BoolType}

// textTemplate is a compiled text with CEL expressions in {{ … }}.
type textTemplate []templatePart

// templatePart is an expression, or a literal if program is nil.
type templatePart struct {
	offset  int // of its first byte in the text
	literal string
	source  string // of the expression
	program cel.Program
	path    fieldPath // set if the expression is a plain path: faster than program
}

// compileTemplate compiles a text.
func (x *celCompiler) compileTemplate(text string) (textTemplate, []expressionError) {
	var t textTemplate
	var errs []expressionError
	for offset := 0; offset < len(text); {
		begin := strings.Index(text[offset:], "{{")
		if begin < 0 {
			t = append(t, templatePart{offset: offset, literal: text[offset:]})
			break
		}
		if begin > 0 {
			t = append(t, templatePart{offset: offset, literal: text[offset : offset+begin]})
		}
		from := offset + begin + len("{{")
		size := expressionEnd(text[from:])
		if size < 0 {
			return nil, append(errs, expressionError{from - len("{{"), "{{ has no }}; expected {{ expression }}"})
		}
		source := text[from : from+size]
		program, problems := x.compileExpression(source, printable, "a text or a number")
		for _, p := range problems {
			errs = append(errs, expressionError{from + p.offset, p.problem})
		}
		t = append(t, templatePart{offset: from, source: source, program: program, path: fieldPathOf(source)})
		offset = from + size + len("}}")
	}
	return t, errs
}

// expressionEnd returns the offset of the "}}" that ends an expression; -1 if there is none. It skips strings and maps.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\'':
			i = stringEnd(s, i)
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(s[i:], "}}") {
				return i
			}
		}
	}
	return -1
}

// stringEnd returns the offset of the last quote of the CEL string whose first quote is at i; len(s) if there is none.
func stringEnd(s string, i int) int {
	quote := s[i : i+1]
	if strings.HasPrefix(s[i:], strings.Repeat(quote, 3)) {
		quote = s[i : i+3]
	}
	raw := i > 0 && (s[i-1] == 'r' || s[i-1] == 'R')
	for i += len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\' && !raw:
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote) - 1
		}
	}
	return len(s)
}

// constantText returns the text of a template without expressions; ok is false if it has some.
func (t textTemplate) constantText() (string, bool) {
	switch {
	case len(t) == 0:
		return "", true
	case len(t) == 1 && t[0].program == nil:
		return t[0].literal, true
	}
	return "", false
}

// renderText evaluates the template for a message. Errors never contain words of the message.
func (t textTemplate) renderText(ctx context.Context, msg *wechatv1.Message) (string, error) {
	if len(t) == 1 && t[0].path != nil {
		return t[0].path(msg), nil
	}
	var variables map[string]any
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.path != nil:
			b.WriteString(p.path(msg))
			continue
		case p.program == nil:
			b.WriteString(p.literal)
			continue
		case variables == nil:
			variables = map[string]any{"message": msg}
		}
		value, _, err := p.program.ContextEval(ctx, variables)
		if err != nil {
			return "", &evalError{"an expression of its reply failed on this message", err}
		}
		if err := writeValue(&b, value.Value()); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// writeValue appends the value of an expression to a text.
func writeValue(b *strings.Builder, value any) error {
	switch v := value.(type) {
	case string:
		b.WriteString(v)
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case uint64:
		b.WriteString(strconv.FormatUint(v, 10))
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'f', -1, 64)) // 1000000, not 1e+06
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		return fmt.Errorf("an expression of its reply returned a %T, expected a text or a number", v)
	}
	return nil
}
