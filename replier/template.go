package replier

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	wechatv1 "wxgate/proto/wechat/v1"
)

// A template is a text with CEL expressions in {{ … }} over the variable message, a wechat.v1.Message.

// maxCost bounds the work of one expression, in CEL's units.
const maxCost = 100_000

// newEnv returns the names that expressions can use.
func newEnv() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Types(&wechatv1.Message{}),
		cel.Variable("message", cel.ObjectType("wechat.v1.Message")),
	)
}

// template is a compiled text: literals and expressions in turn.
type template []part

// part is a literal where program is nil.
type part struct {
	literal string
	program cel.Program
}

// templateError is what is wrong with a template, at a byte offset in it.
type templateError struct {
	offset  int
	problem string
}

// compileTemplate compiles a text.
func compileTemplate(env *cel.Env, text string) (template, []templateError) {
	var t template
	var errs []templateError
	for offset := 0; offset < len(text); {
		begin := strings.Index(text[offset:], "{{")
		if begin < 0 {
			t = append(t, part{literal: text[offset:]})
			break
		}
		if begin > 0 {
			t = append(t, part{literal: text[offset : offset+begin]})
		}
		from := offset + begin + len("{{")
		size := expressionEnd(text[from:])
		if size < 0 {
			return nil, append(errs, templateError{from - len("{{"), "{{ has no }}; expected {{ expression }}"})
		}
		program, problems := compileExpression(env, text[from:from+size])
		for _, p := range problems {
			errs = append(errs, templateError{from + p.offset, p.problem})
		}
		t = append(t, part{program: program})
		offset = from + size + len("}}")
	}
	return t, errs
}

// expressionEnd returns the offset of the "}}" that ends an expression, or -1: not one inside a string or a map.
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

// stringEnd returns the offset of the last quote of the CEL string whose first quote is at i; len(s) where it has none.
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

// compileExpression compiles one expression, which must give a text, a number or a truth value.
func compileExpression(env *cel.Env, source string) (cel.Program, []templateError) {
	if strings.TrimSpace(source) == "" {
		return nil, []templateError{{0, "nothing between {{ and }}; expected an expression such as message.text.content"}}
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		var errs []templateError
		for _, e := range issues.Errors() {
			errs = append(errs, templateError{offsetOf(source, e.Location.Line(), e.Location.Column()), e.Message})
		}
		return nil, errs
	}
	if kind := ast.OutputType(); !kind.IsAssignableType(cel.StringType) && !kind.IsAssignableType(cel.IntType) &&
		!kind.IsAssignableType(cel.UintType) && !kind.IsAssignableType(cel.DoubleType) && !kind.IsAssignableType(cel.BoolType) {
		return nil, []templateError{{0, fmt.Sprintf("the expression gives a %s, expected a text or a number", kind)}}
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []templateError{{0, err.Error()}}
	}
	return program, nil
}

// offsetOf turns CEL's line (from 1) and column (from 0, in characters) into a byte offset.
func offsetOf(source string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		offset += strings.IndexByte(source[offset:], '\n') + 1
	}
	for i := range source[offset:] {
		if column == 0 {
			return offset + i
		}
		column--
	}
	return len(source)
}

// constant returns the text of a template without expressions.
func (t template) constant() (string, bool) {
	switch {
	case len(t) == 0:
		return "", true
	case len(t) == 1 && t[0].program == nil:
		return t[0].literal, true
	}
	return "", false
}

// text evaluates the template on one message. Its errors hold nothing of the message.
func (t template) text(ctx context.Context, msg *wechatv1.Message) (string, error) {
	variables := map[string]any{"message": msg}
	var b strings.Builder
	for _, p := range t {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		value, _, err := p.program.ContextEval(ctx, variables)
		if err != nil {
			return "", errors.New("an expression of its reply failed on this message")
		}
		switch v := value.Value().(type) {
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
			return "", fmt.Errorf("an expression of its reply gave a %T, expected a text or a number", v)
		}
	}
	return b.String(), nil
}
