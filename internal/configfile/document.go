package configfile

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v4"
)

// Document is the YAML of one file. Its methods read nodes, and add errors in them to the problems of the load.
type Document struct {
	Root *yaml.Node
	In   string // the part of the file being read, for problems

	load  *Load
	file  string
	data  []byte
	lines [][]byte // of data; nil until they are needed
}

// FileName returns the file's name.
func (d *Document) FileName() string { return d.file }

// maxProblems is the number of problems that a load lists.
const maxProblems = 200

// Fail adds a problem at a node.
func (d *Document) Fail(n *yaml.Node, format string, args ...any) {
	n = startNode(n)
	d.failAt(n.Line, n.Column, format, args...)
}

// FailInside adds a problem inside a scalar, at a byte offset of its text.
func (d *Document) FailInside(n *yaml.Node, offset int, format string, args ...any) {
	d.failAt(n.Line, n.Column+d.columnsTo(n, offset), format, args...)
}

// Warn adds a warning at a node: it is valid, but probably a mistake.
func (d *Document) Warn(n *yaml.Node, format string, args ...any) {
	n = startNode(n)
	d.load.Warn(Problem{d.file, n.Line, n.Column, d.In, fmt.Sprintf(format, args...)})
}

// WarnInside adds a warning inside a scalar, at a byte offset of its text.
func (d *Document) WarnInside(n *yaml.Node, offset int, format string, args ...any) {
	d.load.Warn(Problem{d.file, n.Line, n.Column + d.columnsTo(n, offset), d.In, fmt.Sprintf(format, args...)})
}

// WarnBackslash warns if a text for users contains \n as two characters: YAML makes a line break of it only inside double
// quotes. The text is the part of a scalar from a byte offset on.
func (d *Document) WarnBackslash(n *yaml.Node, offset int, text string) {
	if at := strings.Index(text, `\n`); at >= 0 {
		d.WarnInside(n, offset+at, `\n is two characters here, and the user reads them; expected double quotes around the text ("one\ntwo"), or a block (|-) with a line for each`)
	}
}

// WarnComment warns of a comment that is probably part of a text without quotes: 价格 #5.
func (d *Document) WarnComment(n *yaml.Node) {
	if n.Style != 0 || !IsScalar(n) {
		return
	}
	line := string(d.lineAt(n.Line))
	at := strings.Index(line, n.Value)
	if at < 0 {
		return
	}
	if found := eatenComment.FindString(line[at+len(n.Value):]); found != "" {
		d.Warn(n, "%q ends before%s, which YAML takes for a comment; put quotes around the text if it is a part of it", n.Value, found)
	}
}

// eatenComment matches a comment without a space after its #, which is probably text.
var eatenComment = regexp.MustCompile(`^[ \t]+#[^\s#]\S*`)

func (d *Document) failAt(line, column int, format string, args ...any) {
	switch n := len(d.load.Problems); {
	case n == maxProblems:
		line, column, format, args = 0, 0, "more problems exist and are not listed", nil
	case n > maxProblems:
		return
	}
	d.load.Problems = append(d.load.Problems, Problem{d.file, line, column, d.In, fmt.Sprintf(format, args...)})
}

// columnsTo returns the distance in columns between the beginning of a scalar and a byte offset in its text. It returns 0 if the
// file does not contain the text literally, because it has several lines or escapes.
func (d *Document) columnsTo(n *yaml.Node, offset int) int {
	if d.lines == nil {
		d.lines = bytes.Split(d.data, []byte("\n"))
	}
	if n.Line > len(d.lines) { // YAML breaks lines at a lone carriage return too
		return 0
	}
	line := []rune(string(d.lines[n.Line-1]))
	behind := string(line[min(n.Column-1, len(line)):])
	at := strings.Index(behind, n.Value)
	if at < 0 {
		return 0
	}
	return len([]rune(behind[:at+min(offset, len(n.Value))]))
}

// lineAt returns a line of the file, counted from 1; nil if it does not exist.
func (d *Document) lineAt(number int) []byte {
	if d.lines == nil {
		d.lines = bytes.Split(d.data, []byte("\n"))
	}
	if number < 1 || number > len(d.lines) {
		return nil
	}
	return d.lines[number-1]
}

// Mapping calls the function of each key that a mapping has. An unknown key, a repeated key, and a node that is not a mapping
// are problems. expected describes the mapping's content for them.
func (d *Document) Mapping(n *yaml.Node, expected string, keys map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "expected %s%s", expected, kindHint(n))
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, known := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			d.failUnknownKey(key, expected, keys)
		case slices.ContainsFunc(everySecond(n.Content[:i]), func(k *yaml.Node) bool { return k.Value == key.Value }):
			d.Fail(key, "%s: given twice", key.Value)
		default:
			read(value)
		}
	}
}

// failUnknownKey adds a problem for an unknown key. In {token:x} the key is "token:x": the part after the colon may be a secret.
func (d *Document) failUnknownKey(key *yaml.Node, expected string, keys map[string]func(*yaml.Node)) {
	name, _, joined := strings.Cut(key.Value, ":")
	if _, known := keys[name]; known && joined {
		d.Fail(key, "%s: expected a space after the colon", name)
		return
	}
	if isFlowMapping(key) {
		d.Fail(key, "a mapping as a key; %s", bracesHint)
		return
	}
	d.Fail(key, "unknown key %q%s; expected %s", name, DidYouMean(name, slices.Sorted(maps.Keys(keys))), expected)
}

// everySecond returns the keys of a mapping's content.
func everySecond(content []*yaml.Node) []*yaml.Node {
	if len(content) == 0 {
		return nil
	}
	keys := make([]*yaml.Node, 0, len(content)/2)
	for i := 0; i < len(content); i += 2 {
		keys = append(keys, content[i])
	}
	return keys
}

// DidYouMean returns a suggestion for a wrong name, as the end of an error; "" if no known name is similar.
func DidYouMean(wrong string, known []string) string {
	best, suggestion := 3, ""
	for _, name := range known {
		n := levenshtein.ComputeDistance(strings.ToLower(wrong), strings.ToLower(name))
		if n < best && n < len(name) {
			best, suggestion = n, fmt.Sprintf("; did you mean %q?", name)
		}
	}
	return suggestion
}

// EachItem calls f for each item of a sequence.
func (d *Document) EachItem(n *yaml.Node, f func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.Fail(n, "expected a list with at least one item%s", kindHint(n))
		return
	}
	for _, item := range n.Content {
		f(item)
	}
}

// ScalarList reads one text, or a list of them.
func (d *Document) ScalarList(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		if v, ok := d.Scalar(n); ok {
			return []string{v}
		}
		return nil
	}
	var values []string
	d.EachItem(n, func(item *yaml.Node) {
		if v, ok := d.Scalar(item); ok {
			values = append(values, v)
		}
	})
	return values
}

// Scalar reads a text that is not empty; a number counts as its text.
func (d *Document) Scalar(n *yaml.Node) (string, bool) {
	if !IsScalar(n) || n.Value == "" {
		d.Fail(n, "expected a text%s", kindHint(n))
		return "", false
	}
	return n.Value, true
}

// IsScalar reports whether a node is a text, a number or a boolean.
func IsScalar(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && !IsNull(n) }

// IsNull reports whether a node has no value: "key:" with nothing after it.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// FindKey returns the value of a mapping's key, or nil.
func FindKey(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// kindHint explains a node that is not what its author probably meant: an alias, or a text that begins with {{ without
// quotes. Else it returns "".
func kindHint(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return "; aliases (*" + n.Value + ") are not resolved, write it out"
	case isFlowMapping(n) && len(n.Content) > 0 && isFlowMapping(n.Content[0]):
		return "; " + bracesHint
	}
	return ""
}

// bracesHint explains how to write a text that begins with {{.
const bracesHint = "put quotes around a text that begins with {{: '{{ … }}'"

func isFlowMapping(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0
}

// startNode returns the node at which a reader sees a value begin.
func startNode(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 {
		return n.Content[0]
	}
	return n
}
