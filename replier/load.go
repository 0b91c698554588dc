package replier

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile is the largest rules file, in bytes.
const maxFile = 32 << 20

//go:embed rules.yaml
var builtin []byte

// LoadRules reads and checks a rules file; the built-in rules where path is "". The error is Problems, or that of
// reading the file.
func LoadRules(path string) (*Rules, error) {
	if path == "" {
		return ParseRules("built-in rules", builtin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("rules: %s is larger than %d MiB", path, maxFile>>20)
	}
	return ParseRules(path, data)
}

// Problem is something wrong in a rules file, and what was expected.
type Problem struct {
	File         string
	Line, Column int    // from 1
	Rule         string // the rule's name; "" outside a rule
	Text         string
}

func (p Problem) String() string {
	rule := ""
	if p.Rule != "" {
		rule = fmt.Sprintf("rule %q: ", p.Rule)
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", p.File, p.Line, p.Column, rule, p.Text)
}

// Problems is everything wrong in a rules file, a line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// ParseRules checks and compiles the text of a rules file; file is its name in errors, which are Problems.
func ParseRules(file string, data []byte) (*Rules, error) {
	env, err := newEnv()
	if err != nil {
		return nil, err
	}
	l := loader{file: file, env: env}
	l.document(data)
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return &Rules{list: l.rules}, nil
}

// loader walks the YAML of a rules file and collects what is wrong.
type loader struct {
	file     string
	env      *cel.Env
	rule     string // the rule that is read
	rules    []rule
	problems Problems
}

// fail notes a problem at a node.
func (l *loader) fail(at *token.Token, format string, args ...any) {
	l.failBehind(at, 0, format, args...)
}

// failBehind notes a problem some columns behind a token's begin.
func (l *loader) failBehind(at *token.Token, columns int, format string, args ...any) {
	p := Problem{File: l.file, Line: 1, Column: 1, Rule: l.rule, Text: fmt.Sprintf(format, args...)}
	if at != nil && at.Position != nil {
		p.Line, p.Column = at.Position.Line, at.Position.Column+columns
	}
	l.problems = append(l.problems, p)
}

func (l *loader) document(data []byte) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows editors write it
	if !utf8.Valid(data) {
		l.fail(nil, "not UTF-8: save the file in this encoding")
		return
	}
	file, err := parser.ParseBytes(data, 0)
	var syntax *yaml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		l.fail(syntax.Token, "not YAML: %s", syntax.Message)
		return
	case err != nil:
		l.fail(nil, "not YAML: %v", err)
		return
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil || d.Body.Type() == ast.CommentType })
	if len(docs) == 0 {
		l.fail(nil, "the file is empty; expected rules:")
		return
	}
	if len(docs) > 1 {
		l.fail(begin(docs[1].Body), "a second YAML document; expected one")
	}
	found := false
	l.mapping(docs[0].Body, "rules: and a list", map[string]func(ast.Node){
		"rules": func(n ast.Node) {
			found = true
			l.list(n, l.oneRule)
		},
	})
	if !found && len(l.problems) == 0 {
		l.fail(docs[0].Body.GetToken(), "no rules; expected rules: and a list")
	}
}

func (l *loader) oneRule(n ast.Node) {
	l.rule = fmt.Sprintf("#%d", len(l.rules)+1)
	if name, ok := find(n, "name").(*ast.StringNode); ok && name.Value != "" {
		l.rule = name.Value
	}
	r := rule{}
	silent, replied := false, false
	l.mapping(n, "name, match, reply or silent", map[string]func(ast.Node){
		"name":  func(n ast.Node) { r.name, _ = l.scalar(n) },
		"match": func(n ast.Node) { r.match = l.match(n) },
		"reply": func(n ast.Node) { replied = true; r.reply = l.reply(n) },
		"silent": func(n ast.Node) {
			b, ok := n.(*ast.BoolNode)
			if !ok || !b.Value {
				l.fail(begin(n), "silent: expected true")
			}
			silent = true
		},
	})
	if r.name == "" {
		r.name = l.rule
	}
	if silent == replied && n.Type() == ast.MappingType {
		l.fail(begin(n), "expected either reply: or silent: true")
	}
	if slices.ContainsFunc(l.rules, func(other rule) bool { return other.name == r.name }) {
		l.fail(begin(n), "another rule has this name; expected a name of its own")
	}
	l.rules = append(l.rules, r)
	l.rule = ""
}

func (l *loader) match(n ast.Node) match {
	var m match
	l.mapping(n, "type, event or event_key", map[string]func(ast.Node){
		"type":      func(n ast.Node) { m.types = l.msgTypes(n) },
		"event":     func(n ast.Node) { m.events = lower(l.scalars(n)) },
		"event_key": func(n ast.Node) { m.eventKeys = l.scalars(n) },
	})
	if (len(m.events) > 0 || len(m.eventKeys) > 0) && len(m.types) > 0 && !slices.Equal(m.types, []string{"event"}) {
		l.fail(begin(n), "event and event_key match events only; expected type: event, or no type")
	}
	return m
}

// msgTypes reads MsgTypes. Those of tomorrow are allowed, but not a slip of today's.
func (l *loader) msgTypes(n ast.Node) []string {
	types := lower(l.scalars(n))
	for _, t := range types {
		if strings.ContainsFunc(t, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			l.fail(begin(n), "%q is no MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends", t)
		}
	}
	return types
}

func lower(list []string) []string {
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}
