package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	wechatv1 "wxgate/proto/wechat/v1"
)

// maxCost bounds the work of one expression, in CEL's units.
const maxCost = 100_000

// maxExpression is the length of the longest expression, in bytes: the CEL compiler is slow for long ones.
const maxExpression = 8 << 10

// celCompiler compiles the CEL expressions of rules files. Conditions and templates have the same names: the variable message is
// the wechat.v1.Message.
type celCompiler struct {
	env      *cel.Env
	compiled map[string]cel.Program // by expected type and source: many rules have the same expressions
}

// newCompiler returns a compiler for expressions that use message, the standard functions of CEL and its functions on strings.
func newCompiler() (*celCompiler, error) {
	env, err := cel.NewEnv(
		cel.Types(&wechatv1.Message{}),
		cel.Variable("message", cel.ObjectType("wechat.v1.Message")),
		ext.Strings(),
		// The size of their results can be the product of the sizes of their arguments: a message could use up all memory.
		disableFunction("replace", "string_replace_string_string", cel.StringType, cel.StringType, cel.StringType),
		disableFunction("format", "string_format", cel.StringType, cel.ListType(cel.DynType)),
		disableFunction("join", "list_join", cel.ListType(cel.StringType)),
	)
	return &celCompiler{env, map[string]cel.Program{}}, err
}

// disableFunction removes a function, which CEL identifies by one of its overloads.
func disableFunction(name, overload string, args ...*cel.Type) cel.EnvOption {
	return cel.Function(name, cel.DisableDeclaration(true), cel.MemberOverload(overload, args, cel.StringType))
}

// expressionError is a problem at a byte offset of a template or expression.
type expressionError struct {
	offset  int
	problem string
}

// compileExpression compiles an expression that must return one of kinds. expected describes these for errors.
func (x *celCompiler) compileExpression(source string, kinds []*cel.Type, expected string) (cel.Program, []expressionError) {
	key := expected + ":" + source
	if program, ok := x.compiled[key]; ok {
		return program, nil
	}
	if strings.TrimSpace(source) == "" {
		return nil, []expressionError{{0, "the expression is empty; expected one such as message.text.content"}}
	}
	if len(source) > maxExpression {
		return nil, []expressionError{{0, fmt.Sprintf("the expression has %d bytes; expected at most %d", len(source), maxExpression)}}
	}
	ast, issues := x.env.Compile(source)
	if issues.Err() != nil {
		var errs []expressionError
		for _, e := range issues.Errors() {
			errs = append(errs, expressionError{offsetOf(source, e.Location.Line(), e.Location.Column()), e.Message})
		}
		return nil, errs
	}
	if kind := ast.OutputType(); !slices.ContainsFunc(kinds, kind.IsAssignableType) {
		return nil, []expressionError{{0, fmt.Sprintf("the expression returns a %s; expected %s", kind, expected)}}
	}
	program, err := x.env.Program(ast, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []expressionError{{0, err.Error()}}
	}
	x.compiled[key] = program
	return program, nil
}

// constantValue returns the value of an expression that does not use the message; nil if it does. The error says why the
// expression fails on every message.
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

// offsetOf converts a line (from 1) and column (from 0, in characters) of CEL into a byte offset.
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

// celCondition is a CEL expression that returns true or false.
type celCondition struct {
	source  string
	program cel.Program
}

// compileCondition compiles the expression of when:.
func (x *celCompiler) compileCondition(source string) (*celCondition, []expressionError) {
	program, errs := x.compileExpression(source, []*cel.Type{cel.BoolType}, "true or false")
	return &celCondition{source, program}, errs
}

// evalCondition reports whether the condition is true for a message. The error never contains words of the message.
func (c *celCondition) evalCondition(ctx context.Context, msg *wechatv1.Message) (bool, error) {
	value, _, err := c.program.ContextEval(ctx, map[string]any{"message": msg})
	if err != nil {
		return false, &evalError{"when: failed on this message", err}
	}
	holds, _ := value.Value().(bool) // the compiler has checked the type
	return holds, nil
}

// evalError says that an expression failed on a message. Its text never contains words of the message; its cause may.
type evalError struct {
	text  string
	cause error
}

func (e *evalError) Error() string { return e.text }
