package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	wechatv1 "wxgate/proto/wechat/v1"
)

// mappings holds a rules file for each definition of the schema; %s stands for the mapping that the definition describes.
var mappings = map[string]string{
	"":                 `%s`,
	"rule":             `rules: [%s]`,
	"action":           `{rules: [{silent: true}], default: %s}`,
	"match":            `rules: [{silent: true, match: %s}]`,
	"keyAlternatives":  `rules: [{silent: true, match: {event_key: %s}}]`,
	"textAlternatives": `rules: [{silent: true, match: {text: %s}}]`,
	"span":             `rules: [{silent: true, match: {time: %s}}]`,
	"forwardTo":        `rules: [{forward: %s}]`,
	"slowText":         `rules: [{forward: {to: "dns:///bot:9001", slow: %s}}]`,
	"reply":            `rules: [{reply: %s}]`,
	"textReply":        `rules: [{reply: {text: %s}}]`,
	"imageReply":       `rules: [{reply: {image: %s}}]`,
	"voiceReply":       `rules: [{reply: {voice: %s}}]`,
	"videoReply":       `rules: [{reply: {video: %s}}]`,
	"musicReply":       `rules: [{reply: {music: %s}}]`,
	"newsReply":        `rules: [{reply: {news: %s}}]`,
	"article":          `rules: [{reply: {news: {articles: [%s]}}}]`,
	"transferReply":    `rules: [{reply: {transfer_customer_service: %s}}]`,
	"expectation":      `{rules: [{silent: true}], expect: [%s]}`,
}

var unknownKey = regexp.MustCompile(`unknown key "([^"]*)"`)

// TestSchemaKeys: the keys of each mapping are those that the loader knows, of all words that it holds.
func TestSchemaKeys(t *testing.T) {
	s := newSchemas(t)
	words := loaderWords(t)
	for name, file := range mappings {
		definition := s.root
		if name != "" {
			definition = object(s.root, "$defs", name)
		}
		keys := slices.Sorted(maps.Keys(object(definition, "properties")))
		unknown := map[string]bool{}
		all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(words, keys))))
		_, err := Parse("f.yaml", fmt.Appendf(nil, file, "{"+strings.Join(all, ": , ")+": }"))
		for _, match := range unknownKey.FindAllStringSubmatch(fmt.Sprint(err), -1) {
			unknown[match[1]] = true
		}
		known := slices.DeleteFunc(all, func(key string) bool { return unknown[key] })
		if diff := cmp.Diff(known, keys); diff != "" {
			t.Errorf("%q: keys (-loader +schema):\n%s", name, diff)
		}
	}
}

// loaderWords returns all strings in the loader's source that may be keys, and the names of a reply's fields.
func loaderWords(t *testing.T) []string {
	t.Helper()
	key := regexp.MustCompile(`^"[a-z_]+"$`)
	var words []string
	for _, path := range glob(t, "*.go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && key.MatchString(text.Value) {
				words = append(words, strings.Trim(text.Value, `"`))
			}
			return true
		})
	}
	if !slices.Contains(words, "event_key") {
		t.Fatal("the source was not understood")
	}
	var fields func(protoreflect.MessageDescriptor)
	fields = func(desc protoreflect.MessageDescriptor) {
		for i := range desc.Fields().Len() {
			words = append(words, string(desc.Fields().Get(i).Name()))
			if message := desc.Fields().Get(i).Message(); message != nil {
				fields(message)
			}
		}
	}
	fields((&wechatv1.Reply{}).ProtoReflect().Descriptor())
	return words
}

// TestSchemaInclude: the item of rules: that is not a rule.
func TestSchemaInclude(t *testing.T) {
	s := newSchemas(t)
	keys := slices.Collect(maps.Keys(object(s.root, "$defs", "include", "properties")))
	if diff := cmp.Diff([]string{"include"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	_, err := Parse("f.yaml", []byte("rules: [{include: missing.yaml}]"))
	if err == nil || !strings.Contains(err.Error(), "include: missing.yaml: ") {
		t.Errorf("the loader says %v", err)
	}
}

// TestSchemaMessage: the part of a message's fields that the schema names, and the names of types and events, are those
// of wechat.v1.
func TestSchemaMessage(t *testing.T) {
	s := newSchemas(t)
	message := (&wechatv1.Message{}).ProtoReflect().Descriptor()
	var check func(path string, definition map[string]any, desc protoreflect.MessageDescriptor)
	check = func(path string, definition map[string]any, desc protoreflect.MessageDescriptor) {
		for name, property := range object(definition, "properties") {
			field := desc.Fields().ByName(protoreflect.Name(name))
			if field == nil {
				t.Errorf("%s.%s is no field", path, name)
				continue
			}
			if _, deep := property.(map[string]any)["properties"]; deep != (field.Message() != nil) {
				t.Errorf("%s.%s: a message and a mapping are not the same", path, name)
			} else if deep {
				check(path+"."+name, property.(map[string]any), field.Message())
			}
		}
	}
	check("message", object(s.root, "$defs", "message"), message)

	arms := func(oneof protoreflect.OneofDescriptor) []string {
		var names []string
		for i := range oneof.Fields().Len() {
			if name := string(oneof.Fields().Get(i).Name()); name != "unknown" {
				names = append(names, name)
			}
		}
		return names
	}
	names := func(definition string) []string {
		var list []string
		for _, name := range object(s.root, "$defs", definition)["anyOf"].([]any)[0].(map[string]any)["enum"].([]any) {
			list = append(list, strings.ToLower(name.(string)))
		}
		return list
	}
	if diff := cmp.Diff(arms(message.Oneofs().ByName("content")), names("msgType")); diff != "" {
		t.Errorf("types (-contract +schema):\n%s", diff)
	}
	events := arms((&wechatv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind"))
	for _, name := range names("event") {
		if !slices.Contains(events, name) {
			t.Errorf("%s is no event of the contract", name)
		}
	}
}

// keywords are those that the schema uses: one that is misspelled would mean nothing.
var keywords = []string{"$schema", "$defs", "$ref", "additionalProperties", "anyOf", "const", "dependentRequired", "dependentSchemas", "description",
	"enum", "examples", "items", "maxItems", "maxProperties", "minItems", "minLength", "minProperties", "not", "oneOf", "pattern", "properties", "required", "title", "type"}

// TestSchemaParts: each key is explained, each example is a good one, no mapping takes other keys, no definition is idle.
func TestSchemaParts(t *testing.T) {
	s := newSchemas(t)
	var walk func(pointer string, schema map[string]any)
	walk = func(pointer string, schema map[string]any) {
		for keyword := range schema {
			if !slices.Contains(keywords, keyword) {
				t.Errorf("%s: unknown keyword %q", pointer, keyword)
			}
		}
		if examples, ok := schema["examples"].([]any); ok {
			for _, example := range examples {
				if err := s.part(t, pointer).Validate(example); err != nil {
					t.Errorf("%s: the example %v: %v", pointer, example, err)
				}
			}
		}
		name, isDefinition := strings.CutPrefix(pointer, "/$defs/")
		if properties, ok := schema["properties"].(map[string]any); ok {
			for key, property := range properties {
				if property == false {
					continue
				}
				if property.(map[string]any)["description"] == nil {
					t.Errorf("%s/properties/%s has no description", pointer, key)
				}
				walk(pointer+"/properties/"+key, property.(map[string]any))
			}
			open := strings.HasPrefix(name, "message") || strings.Contains(pointer, "dependentSchemas")
			if _, known := mappings[name]; !open && (schema["additionalProperties"] != false || !known && name != "include") {
				t.Errorf("%s takes any keys, or is not in mappings", pointer)
			}
		}
		for _, keyword := range []string{"anyOf", "oneOf"} {
			if list, ok := schema[keyword].([]any); ok {
				for i, each := range list {
					walk(fmt.Sprintf("%s/%s/%d", pointer, keyword, i), each.(map[string]any))
				}
			}
		}
		if items, ok := schema["items"].(map[string]any); ok {
			walk(pointer+"/items", items)
		}
		if schemas, ok := schema["dependentSchemas"].(map[string]any); ok {
			for key, each := range schemas {
				walk(pointer+"/dependentSchemas/"+key, each.(map[string]any))
			}
		}
		if isDefinition && !strings.Contains(name, "/") && !strings.Contains(Schema(), `"#/$defs/`+name+`"`) {
			t.Errorf("%s is never used", pointer)
		}
	}
	walk("", s.root)
	for name, definition := range object(s.root, "$defs") {
		walk("/$defs/"+name, definition.(map[string]any))
	}
}
