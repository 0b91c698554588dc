package configfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// thing is what the files of these tests list.
type thing struct {
	Name string
	Tags []string
	Note string
}

// things reads a document as a list of things. A note that holds "?" is a problem at that place, an old thing a warning.
func things(d *Document) []thing {
	var all []thing
	d.Mapping(d.Root, "things", map[string]func(*yaml.Node){
		"things": func(n *yaml.Node) {
			d.EachItem(n, func(item *yaml.Node) {
				var one thing
				if name := FindKey(item, "name"); name != nil && IsScalar(name) {
					d.In = "thing " + name.Value
				}
				d.Mapping(item, "name, tags, note or old", map[string]func(*yaml.Node){
					"name": func(n *yaml.Node) { one.Name, _ = d.Scalar(n) },
					"tags": func(n *yaml.Node) { one.Tags = d.ScalarList(n) },
					"note": func(n *yaml.Node) {
						one.Note, _ = d.Scalar(n)
						if i := strings.Index(one.Note, "?"); i >= 0 {
							d.FailInside(n, i, "a question")
						}
					},
					"old": func(n *yaml.Node) { d.Warn(n, "old things are probably not meant") },
				})
				d.In = ""
				all = append(all, one)
			})
		},
	})
	return all
}

// parse reads text as things.
func parse(text string) ([]thing, *Load) {
	load := &Load{}
	if d := load.ParseYAML("f.yaml", []byte(text)); d != nil {
		return things(d), load
	}
	return nil, load
}

func TestGoodDocument(t *testing.T) {
	want := []thing{{Name: "a", Tags: []string{"x", "7", "true"}, Note: "ok"}, {Name: "b", Tags: []string{"1.50"}}}
	for name, text := range map[string]string{
		"block":              "things:\n  - name: a\n    tags: [x, 7, true]\n    note: ok\n  - {name: b, tags: 1.50}\n",
		"byte order mark":    "\ufeffthings: [{name: a, tags: [x, 7, true], note: ok}, {name: b, tags: 1.50}]",
		"Windows line ends":  "things:\r\n  - {name: a, tags: [x, 7, true], note: ok}\r\n  - {name: b, tags: 1.50}\r\n",
		"document markers":   "---\nthings: [{name: a, tags: [x, 7, true], note: ok}, {name: b, tags: 1.50}]\n...\n",
		"comments and tails": "# head\nthings: [{name: a, tags: [x, 7, true], note: ok}, {name: b, tags: 1.50}] # tail\n# end\n",
	} {
		got, load := parse(text)
		if diff := cmp.Diff(want, got); diff != "" || load.Err() != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, load.Err(), diff)
		}
	}
}

func TestProblems(t *testing.T) {
	const keys = "; expected name, tags, note or old"
	for name, tt := range map[string]struct {
		text string
		want []string // without the file's name
	}{
		"empty":                    {"", []string{"1:1: the file is empty"}},
		"comments only":            {"# nothing\n", []string{"1:1: the file is empty"}},
		"empty document":           {"---\n", []string{"1:1: the file is empty"}},
		"null":                     {"~", []string{"1:1: expected things"}},
		"not UTF-8":                {"things: \xff", []string{"1:1: not UTF-8: save the file in this encoding"}},
		"not YAML":                 {"things:\n  - name: a\n   tags: x\n", []string{"3:4: not YAML: did not find expected '-' indicator (while parsing a block collection at 2:3)"}},
		"not YAML, open quote":     {"things: \"a", []string{"1:11: not YAML: found unexpected end of stream (while scanning a quoted scalar at 1:9)"}},
		"tab":                      {"things:\n\t- name: a\n", []string{"2:1: not YAML: found character that cannot start any token; a tab cannot indent, expected spaces"}},
		"second document":          {"things: [{name: a}]\n---\nthings: []\n", []string{"3:1: a second YAML document; expected one"}},
		"broken second document":   {"things: [{name: a}]\n---\n]\n", []string{"3:1: not YAML: did not find expected node content"}},
		"a text":                   {"hello", []string{"1:1: expected things"}},
		"no list":                  {"things: {name: a}", []string{"1:9: expected a list with at least one item"}},
		"no item":                  {"things: []", []string{"1:9: expected a list with at least one item"}},
		"nothing":                  {"things:", []string{"1:8: expected a list with at least one item"}},
		"unknown key":              {"things:\n  - name: a\n    color: red\n", []string{`3:5: thing a: unknown key "color"` + keys}},
		"near key":                 {"things:\n  - nam: a\n", []string{`2:5: unknown key "nam"; did you mean "name"?` + keys}},
		"near key in capitals":     {"things: [{NAME: a}]", []string{`1:11: unknown key "NAME"; did you mean "name"?` + keys}},
		"near key of three":        {"things: [{o: a}]", []string{`1:11: unknown key "o"; did you mean "old"?` + keys}},
		"no key near":              {"things: [{x: a}]", []string{`1:11: unknown key "x"` + keys}},
		"no space behind a colon":  {"things: [{name:secret}]", []string{`1:11: name: expected a space after the colon`}},
		"unknown key with a colon": {"things: [{nam:secret}]", []string{`1:11: unknown key "nam"; did you mean "name"?` + keys}},
		"key that is none":         {"things: [{[name]: a}]", []string{`1:11: unknown key ""` + keys}},
		"key twice":                {"things:\n  - name: a\n    note: x\n    name: b\n", []string{"4:5: thing a: name: given twice"}},
		"unknown key twice":        {"things: [{x: a, x: b}]", []string{`1:11: unknown key "x"` + keys, `1:17: unknown key "x"` + keys}},
		"alias":                    {"things: [{name: &n a}, {name: *n}]", []string{"1:31: expected a text; aliases (*n) are not resolved, write it out"}},
		"alias of a mapping":       {"things: [&t {name: a}, *t]", []string{"1:24: expected name, tags, note or old; aliases (*t) are not resolved, write it out"}},
		"alias of a list":          {"things: [{tags: &t [a]}, {tags: *t}]", []string{"1:33: expected a text; aliases (*t) are not resolved, write it out"}},
		"merge key":                {"things: [&t {name: a}, {<<: *t}]", []string{`1:25: unknown key "<<"` + keys}},
		"empty text":               {`things: [{name: ""}]`, []string{"1:17: thing : expected a text"}},
		"null for a text":          {"things: [{name: null}]", []string{"1:17: expected a text"}},
		"list for a text":          {"things: [{name: [a]}]", []string{"1:17: expected a text"}},
		"empty list of texts":      {"things: [{tags: []}]", []string{"1:17: expected a list with at least one item"}},
		"all at once, in order": {"things:\n  - nam: a\n    tags: [x, [y]]\n  - {name: b, note: [c]}\nthing: b\n", []string{
			`2:5: unknown key "nam"; did you mean "name"?` + keys, "3:15: expected a text", "4:21: thing b: expected a text", `5:1: unknown key "thing"; did you mean "things"?; expected things`}},
		"inside a plain text":       {"things: [{note: why?}]", []string{"1:20: a question"}},
		"inside quotes":             {`things: [{note: "why?"}]`, []string{"1:21: a question"}},
		"behind wide characters":    {`things: [{name: 世界, note: "为什么?"}]`, []string{"1:31: thing 世界: a question"}},
		"inside with an escape":     {`things: [{note: "\twhy?"}]`, []string{"1:17: a question"}},
		"inside several lines":      {"things:\n  - note: |\n      why?\n", []string{"2:11: a question"}},
		"behind a carriage return":  {"a: 1\rthings: [{note: why?}]", []string{`1:1: unknown key "a"; expected things`, "2:17: a question"}},
		"flow mapping for a text":   {"things:\n  - name: {a: b}\n", []string{"2:11: expected a text"}},
		"block mapping for a text":  {"things:\n  - name:\n      a: b\n", []string{"3:7: expected a text"}},
		"mapping of the wrong kind": {"things:\n  - - name\n", []string{"2:5: expected name, tags, note or old"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, load := parse(tt.text)
			var got []string
			for _, p := range load.Problems {
				got = append(got, strings.TrimPrefix(p.String(), "f.yaml:"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if err := load.Err(); err == nil || err.Error() != "f.yaml:"+strings.Join(tt.want, "\nf.yaml:") {
				t.Errorf("Err: %v", err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	got, load := parse("things:\n  - name: a\n    old: 1\n  - old:\n      x: 1\n")
	want := Problems{{"f.yaml", 3, 10, "thing a", "old things are probably not meant"}, {"f.yaml", 5, 7, "", "old things are probably not meant"}}
	if diff := cmp.Diff(want, load.Warnings()); diff != "" || load.Err() != nil || len(got) != 2 {
		t.Errorf("%d things, problems %v, warnings (-want +got):\n%s", len(got), load.Err(), diff)
	}
}

// TestFindingsUnquotedBraces: {{ without quotes is a mapping to YAML, or nothing; the problem says what to write.
func TestFindingsUnquotedBraces(t *testing.T) {
	for _, text := range []string{"things:\n  - name: {{ a }}\n", "things:\n  - name: {{ a }} and more\n", "things: [{name: {{ a }} and more}]\n", "things: [{name: {{ a.b(\"c\") }}}]\n"} {
		_, load := parse(text)
		if err := load.Err(); err == nil || !strings.Contains(err.Error(), "put quotes around") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestFindingsLongWarnings: a warning that quotes a long word of a file is cut.
func TestFindingsLongWarnings(t *testing.T) {
	load := &Load{}
	load.Warn(Problem{File: "f", In: strings.Repeat("a", 1<<20), Text: strings.Repeat("文", 1<<20)})
	if text := load.Warnings()[0].String(); len(text) > 3*maxWarning || !strings.Contains(text, "…") {
		t.Errorf("a warning of %d bytes", len(text))
	}
}

// TestFindingsManyWarnings: however many warnings there are, some dozens are listed, and the last line says how many more.
func TestFindingsManyWarnings(t *testing.T) {
	part := &Load{}
	for range 100_000 {
		part.Warn(Problem{File: "part", Text: "odd"})
	}
	load := &Load{}
	load.Warn(Problem{File: "f", Text: "first"})
	load.AddPart(part)
	load.AddPart(part)
	warnings := load.Warnings()
	if len(warnings) != maxWarnings+1 || load.WarningCount() != 200_001 {
		t.Fatalf("%d of %d warnings are listed, want %d of 200001", len(warnings), load.WarningCount(), maxWarnings+1)
	}
	if first, last := warnings[0].Text, warnings[maxWarnings].Text; first != "first" || last != "and 199951 more warnings" {
		t.Errorf("the first is %q, the last %q", first, last)
	}
}
