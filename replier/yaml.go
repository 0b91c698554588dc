package replier

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// mapping calls for each key of a mapping its function. Another key is a problem, as is what is no mapping.
func (l *loader) mapping(n ast.Node, expected string, keys map[string]func(ast.Node)) {
	m, ok := plain(n).(*ast.MappingNode)
	if !ok {
		l.fail(begin(n), "expected %s", expected)
		return
	}
	for _, pair := range m.Values {
		name := keyOf(pair)
		read, ok := keys[name]
		if !ok {
			l.fail(pair.Key.GetToken(), "unknown key %q; expected %s", name, expected)
			continue
		}
		read(pair.Value)
	}
}

// list calls f for each item of a sequence.
func (l *loader) list(n ast.Node, f func(ast.Node)) {
	s, ok := plain(n).(*ast.SequenceNode)
	if !ok || len(s.Values) == 0 {
		l.fail(begin(n), "expected a list with at least one item")
		return
	}
	for _, item := range s.Values {
		f(item)
	}
}

// scalars reads one value, or a list of them.
func (l *loader) scalars(n ast.Node) []string {
	var values []string
	add := func(n ast.Node) {
		if v, ok := l.scalar(n); ok {
			values = append(values, v)
		}
	}
	if _, ok := plain(n).(*ast.SequenceNode); ok {
		l.list(n, add)
	} else {
		add(n)
	}
	return values
}

// scalar reads a text that is not empty; a number counts as its text.
func (l *loader) scalar(n ast.Node) (string, bool) {
	value := ""
	switch v := plain(n).(type) {
	case *ast.StringNode:
		value = v.Value
	case *ast.LiteralNode:
		value = v.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		value = v.GetToken().Value
	}
	if value == "" {
		l.fail(begin(n), "expected a text")
		return "", false
	}
	return value, true
}

// begin returns a node's first token: of a mapping its first key, not the colon behind it.
func begin(n ast.Node) *token.Token {
	if m, ok := plain(n).(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	return n.GetToken()
}

// plain takes a node out of its anchor or tag.
func plain(n ast.Node) ast.Node {
	switch v := n.(type) {
	case *ast.AnchorNode:
		return plain(v.Value)
	case *ast.TagNode:
		return plain(v.Value)
	}
	return n
}

// find returns the value of a mapping's key, or nil.
func find(n ast.Node, key string) ast.Node {
	m, ok := plain(n).(*ast.MappingNode)
	if !ok {
		return nil
	}
	i := slices.IndexFunc(m.Values, func(pair *ast.MappingValueNode) bool { return keyOf(pair) == key })
	if i < 0 {
		return nil
	}
	return plain(m.Values[i].Value)
}

func keyOf(pair *ast.MappingValueNode) string {
	return strings.TrimSpace(pair.Key.GetToken().Value)
}
