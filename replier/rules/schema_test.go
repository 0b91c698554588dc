package rules

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
)

// schemas compiles the schema and parts of it.
type schemas struct {
	compiler *jsonschema.Compiler
	root     map[string]any // as read
}

func newSchemas(t *testing.T) *schemas {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("rules.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return &schemas{compiler, doc.(map[string]any)}
}

// part returns the schema at a JSON pointer; it fails the test if that is not a schema.
func (s *schemas) part(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	compiled, err := s.compiler.Compile("rules.schema.json#" + pointer) // checks it by the schema of schemas
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// object returns a mapping inside v.
func object(v any, path ...string) map[string]any {
	for _, key := range path {
		v = v.(map[string]any)[key]
	}
	return v.(map[string]any)
}

// valueOf returns a YAML node as an editor sees it.
func valueOf(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = valueOf(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, valueOf(item))
		}
		return list
	case yaml.AliasNode:
		return valueOf(n.Alias)
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// readYAML returns the content of a file; false if it is not a YAML document.
func readYAML(path string) (any, bool) {
	doc := (&configfile.Load{}).OpenYAML(path)
	if doc == nil {
		return nil, false
	}
	return valueOf(doc.Root), true
}

func glob(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Errorf("no files %s: %v", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

func TestSchemaTakesGoodFiles(t *testing.T) {
	rules := newSchemas(t).part(t, "")
	for _, path := range glob(t, "builtin.yaml", "testdata/good/*.yaml", "../../examples/rules/*.yaml", "../../examples/go/rules.yaml") {
		value, ok := readYAML(path)
		if !ok {
			t.Errorf("%s: no YAML", path)
		} else if err := rules.Validate(value); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// unseen are the files of testdata/bad whose problems a schema cannot see: they lie in the meaning of YAML or CEL, or in two places.
var unseen = []string{"braces", "cel", "duplicate_flow_keys", "duplicate_keys", "duplicate_names", "not_text"}

func TestSchemaRefusesBadFiles(t *testing.T) {
	rules := newSchemas(t).part(t, "")
	for _, path := range glob(t, "testdata/bad/*.yaml") {
		value, ok := readYAML(path)
		if !ok {
			continue
		}
		err := rules.Validate(value)
		if name := strings.TrimSuffix(filepath.Base(path), ".yaml"); slices.Contains(unseen, name) != (err == nil) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// unseenProblems match problems that a schema cannot see: inside an expression, a name or a number, or between two places.
var unseenProblems = regexp.MustCompile(`undefined field|undeclared reference|Syntax error|found no matching overload|the expression returns|the expression is empty; |\{\{ has no` +
	`|matches: |is not a time zone|from and to are equal|timeout: "[^"]*[a-z]"|include: |match(es)? .*; expected type: |not a wechat.v1.Message: |unknown field "[^"]*" of wechat`)

// TestSchemaAgrees gives each rule and each expectation of the test files to the schema and to the loader.
func TestSchemaAgrees(t *testing.T) {
	rules := newSchemas(t).part(t, "")
	seen := map[bool]int{}
	for _, path := range glob(t, "builtin.yaml", "testdata/*/*.yaml", "testdata/bad/include/*.yaml") {
		value, ok := readYAML(path)
		file, isMapping := value.(map[string]any)
		if !ok || !isMapping {
			continue
		}
		var files []map[string]any
		if list, ok := file["rules"].([]any); ok {
			for _, rule := range list {
				files = append(files, map[string]any{"rules": []any{rule}})
			}
		}
		one := []any{map[string]any{"silent": true}}
		if list, ok := file["expect"].([]any); ok {
			for _, expectation := range list {
				files = append(files, map[string]any{"rules": one, "expect": []any{expectation}})
			}
		}
		for _, key := range []string{"default", "fold", "timezone"} {
			if value, ok := file[key]; ok {
				files = append(files, map[string]any{"rules": one, key: value})
			}
		}
		for _, file := range files {
			text, err := json.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(path, text)
			var problems configfile.Problems
			if err != nil && !errors.As(err, &problems) {
				t.Fatal(err)
			}
			visible := slices.DeleteFunc(problems, func(p configfile.Problem) bool { return p.File != path || unseenProblems.MatchString(p.Text) })
			// The schema sees the same text as the loader.
			err = rules.Validate(file)
			if (err == nil) != (len(visible) == 0) {
				t.Errorf("%s: %s\nthe loader says: %v\nthe schema says: %v", path, text, visible, err)
			}
			seen[err == nil]++
		}
	}
	if seen[true] < 50 || seen[false] < 50 {
		t.Errorf("only %d good and %d bad parts: the files were not taken apart", seen[true], seen[false])
	}
}
