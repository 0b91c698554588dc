package rules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/configfile"
)

// FuzzParseRules: no file breaks the loader. If a file is rejected, each problem has a position; if it loads, gRPC can carry its
// replies.
func FuzzParseRules(f *testing.F) {
	f.Add([]byte(Builtin()))
	for _, dir := range []string{"good", "bad"} {
		for _, name := range yamlFiles(f, dir) {
			data, err := os.ReadFile(filepath.Join("testdata", dir, name+".yaml"))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := Parse("rules.yaml", data)
		if err != nil {
			var problems configfile.Problems
			if rules != nil || !errors.As(err, &problems) {
				t.Fatalf("got %v, %v; want Problems alone", rules, err)
			}
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || p.Text == "" {
					t.Errorf("no place or no text: %s", p)
				}
			}
			return
		}
		if len(rules.list) == 0 {
			t.Error("loaded no rules")
		}
		for i := range rules.list {
			one := Rules{list: rules.list[i : i+1], index: newIndex(rules.list[i : i+1])}
			d := one.Decide(t.Context(), text("hi"), noBot)
			if d.Reply != nil && d.Rule == nil {
				t.Errorf("a reply of no rule: %v", d.Reply)
			}
			if _, err := proto.Marshal(d.Reply); err != nil {
				t.Errorf("the reply cannot be sent: %v", err)
			}
		}
	})
}

// FuzzTemplate: no text breaks the compiler, its offsets are inside the text, and an error on a message does not
// repeat the message.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"plain", "{{ message.text.content }}", "{{", "{{}}", "}}{{ '}}' }}", "{{ {'a': {'b': 1}}.a.b }}", "{{ r'\\' }}",
		"{{ '''a''' }}", "你好 {{ message.nope }}", "{{ 1\n+ }}", "{{ int(message.text.content) }}", "{{ \"\\", "{{ // }}",
	} {
		f.Add(seed)
	}
	const secret = "k3Jq9Zx7"
	f.Fuzz(func(t *testing.T, source string) {
		compiled, errs := compile(t, source)
		for _, e := range errs {
			if e.offset < 0 || e.offset > len(source) || e.problem == "" {
				t.Errorf("offset %d of %d: %q", e.offset, len(source), e.problem)
			}
		}
		if len(errs) > 0 {
			return
		}
		literal, constant := compiled.constantText()
		if constant == strings.Contains(source, "{{") || constant && literal != source {
			t.Errorf("constant is %t, %q", constant, literal)
		}
		got, err := compiled.renderText(t.Context(), text(secret))
		switch {
		case err != nil && strings.Contains(err.Error(), secret):
			t.Errorf("the error has the message's text: %v", err)
		case constant && got != source:
			t.Errorf("got %q", got)
		}
	})
}
