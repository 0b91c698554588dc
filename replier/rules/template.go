package rules

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
	"google.golang.org/protobuf/reflect/protoreflect"

	wechatv1 "wxgate/proto/wechat/v1"
)

// A template is a text with CEL expressions in {{ … }}. Conditions and templates have one language and one set of names:
// the variable message is the wechat.v1.Message.

// maxCost bounds the work of one expression, in CEL's units.
const maxCost = 100_000

// expressions compiles what is CEL in a rules file.
type expressions struct {
	env  *cel.Env
	made map[string]cel.Program // by source: many rules say the same
}

// newExpressions returns a compiler with the names that expressions can use: message, and CEL's own with its functions
// on strings.
func newExpressions() (*expressions, error) {
	env, err := cel.NewEnv(
		cel.Types(&wechatv1.Message{}),
		cel.Variable("message", cel.ObjectType("wechat.v1.Message")),
		ext.Strings(),
		// What these make can be as large as the product of what they get: a message must not make a process run out of memory.
		disabled("replace", "string_replace_string_string", cel.StringType, cel.StringType, cel.StringType),
		disabled("format", "string_format", cel.StringType, cel.ListType(cel.DynType)),
		disabled("join", "list_join", cel.ListType(cel.StringType)),
	)
	return &expressions{env, map[string]cel.Program{}}, err
}

// disabled takes a function away, which is known by one of its overloads.
func disabled(name, overload string, args ...*cel.Type) cel.EnvOption {
	return cel.Function(name, cel.DisableDeclaration(true), cel.MemberOverload(overload, args, cel.StringType))
}

// condition compiles the expression of when:.
func (x *expressions) condition(source string) (*condition, []templateError) {
	program, errs := x.compile(source, []*cel.Type{cel.BoolType}, "true or false")
	return &condition{source, program}, errs
}

// template is a compiled text: literals and expressions in turn.
type template []part

// part is a literal where there is no program.
type part struct {
	offset  int // where it begins in the text, in bytes
	literal string
	source  string // of the program
	program cel.Program
	path    path // what the program is, if it is one
}

// templateError is what is wrong with a template, at a byte offset in it.
type templateError struct {
	offset  int
	problem string
}

// template compiles a text.
func (x *expressions) template(text string) (template, []templateError) {
	var t template
	var errs []templateError
	for offset := 0; offset < len(text); {
		begin := strings.Index(text[offset:], "{{")
		if begin < 0 {
			t = append(t, part{offset: offset, literal: text[offset:]})
			break
		}
		if begin > 0 {
			t = append(t, part{offset: offset, literal: text[offset : offset+begin]})
		}
		from := offset + begin + len("{{")
		size := expressionEnd(text[from:])
		if size < 0 {
			return nil, append(errs, templateError{from - len("{{"), "{{ has no }}; expected {{ expression }}"})
		}
		source := text[from : from+size]
		program, problems := x.compile(source, printable, "a text or a number")
		for _, p := range problems {
			errs = append(errs, templateError{from + p.offset, p.problem})
		}
		t = append(t, part{offset: from, source: source, program: program, path: pathOf(source)})
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

// printable is what can stand in a text.
var printable = []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType, cel.BoolType}

// compile compiles one expression, which must give one of kinds; expected is these in words.
func (x *expressions) compile(source string, kinds []*cel.Type, expected string) (cel.Program, []templateError) {
	key := expected + ":" + source
	if program, ok := x.made[key]; ok {
		return program, nil
	}
	if strings.TrimSpace(source) == "" {
		return nil, []templateError{{0, "no expression; expected one such as message.text.content"}}
	}
	if len(source) > maxExpression {
		return nil, []templateError{{0, fmt.Sprintf("an expression of %d bytes; expected at most %d", len(source), maxExpression)}}
	}
	ast, issues := x.env.Compile(source)
	if issues.Err() != nil {
		var errs []templateError
		for _, e := range issues.Errors() {
			errs = append(errs, templateError{offsetOf(source, e.Location.Line(), e.Location.Column()), e.Message})
		}
		return nil, errs
	}
	if kind := ast.OutputType(); !slices.ContainsFunc(kinds, kind.IsAssignableType) {
		return nil, []templateError{{0, fmt.Sprintf("the expression gives a %s, expected %s", kind, expected)}}
	}
	program, err := x.env.Program(ast, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []templateError{{0, err.Error()}}
	}
	x.made[key] = program
	return program, nil
}

// constantValue returns what an expression gives that does not look at the message; nil if it does. The error says why it fails
// on every message.
func constantValue(source string, program cel.Program) (any, error) {
	if program == nil || strings.Contains(source, "message") {
		return nil, nil
	}
	value, _, err := program.Eval(map[string]any{"message": &wechatv1.Message{}})
	if err != nil {
		return nil, err
	}
	return value.Value(), nil
}

// maxExpression is the longest expression, in bytes: CEL's compiler takes its time with long ones.
const maxExpression = 8 << 10

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

// path is an expression such as message.text.content, which most are: it leads to a text, "" where the message has no such
// field. What CEL makes of it is the same, in a tenth of the time.
type path func(*wechatv1.Message) string

// usualPaths are those that are said most often, by what follows "message.": they need no reflection.
var usualPaths = map[string]path{
	"text.content":    func(m *wechatv1.Message) string { return m.GetText().GetContent() },
	"event.event_key": func(m *wechatv1.Message) string { return m.GetEvent().GetEventKey() },
	"from_user_name":  (*wechatv1.Message).GetFromUserName,
}

// pathOf returns the path that an expression, which compiles, is; nil where it is none.
func pathOf(source string) path {
	name, rest, _ := strings.Cut(strings.TrimSpace(source), ".")
	if name != "message" || rest == "" {
		return nil
	}
	if usual := usualPaths[rest]; usual != nil {
		return usual
	}
	var fields []protoreflect.FieldDescriptor
	d := (&wechatv1.Message{}).ProtoReflect().Descriptor()
	for field := range strings.SplitSeq(rest, ".") {
		if d == nil {
			return nil
		}
		f := d.Fields().ByName(protoreflect.Name(field))
		if f == nil || f.IsList() || f.IsMap() {
			return nil
		}
		fields, d = append(fields, f), f.Message()
	}
	last := fields[len(fields)-1]
	if last.Kind() != protoreflect.StringKind {
		return nil
	}
	return func(msg *wechatv1.Message) string {
		m := msg.ProtoReflect()
		for _, f := range fields[:len(fields)-1] {
			m = m.Get(f).Message()
		}
		return m.Get(last).String()
	}
}
