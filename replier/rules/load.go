package rules

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
)

//go:embed builtin.yaml
var builtin string

//go:embed demo.yaml
var demo string

// maxIncludes is how deep files may include each other.
const maxIncludes = 16

// Builtin returns the text of the built-in rules.
func Builtin() string { return builtin }

// Options say how a program reads rules.
type Options struct {
	Handlers map[string]bool // the handlers that rules can forward to, by name; nil: any, with a warning
	Demo     bool            // the built-in rules begin with one that forwards to the handler "slow"
}

// Load reads and checks a rules file and what it includes; the built-in rules if path is "". The error is
// configfile.Problems.
func Load(path string) (*Rules, error) {
	load := &configfile.Load{}
	rules := Options{}.Read(load, path)
	return rules, load.Err()
}

// Parse checks and compiles the text of a rules file; file is its name in errors, which are configfile.Problems.
func Parse(file string, data []byte) (*Rules, error) {
	load := &configfile.Load{}
	rules := compileRules(load, nil, load.Parse(file, data))
	return rules, load.Err()
}

// Read is Load as a part of a load. The result is nil if there are problems.
func (o Options) Read(load *configfile.Load, path string) *Rules {
	if path != "" {
		return compileRules(load, o.Handlers, load.Open(path))
	}
	var docs []*configfile.Document
	if o.Demo {
		docs = append(docs, load.Parse("demo rules", []byte(demo)))
	}
	return compileRules(load, o.Handlers, append(docs, load.Parse("built-in rules", []byte(builtin)))...)
}

// compileRules compiles the rules of documents, one behind the other; nil stands for one that could not be read.
func compileRules(load *configfile.Load, handlers map[string]bool, docs ...*configfile.Document) *Rules {
	if slices.Contains(docs, nil) {
		return nil
	}
	expressions, err := newExpressions()
	if err != nil { // our own names clash
		load.Fail(docs[0].File(), "%v", err)
		return nil
	}
	all := &shared{expressions: expressions, handlers: handlers, names: map[string]bool{}, zones: map[string]*time.Location{}}
	for _, doc := range docs {
		(&loader{Document: doc, load: load, shared: all}).file()
	}
	if len(load.Problems) > 0 {
		return nil
	}
	if all.deflt != nil {
		all.rules = append(all.rules, *all.deflt)
	}
	r := &Rules{list: all.rules, index: newIndex(all.rules), expectations: all.expectations}
	warnUnreachable(load, r)
	r.warnings, r.warned = load.Warnings(), load.Warned()
	return r
}

// loader walks the YAML of a rules file.
type loader struct {
	*configfile.Document
	*shared
	load     *configfile.Load
	includes []string       // the files that include this one, from the first
	zone     *time.Location // of the times in this file
	fold     bool           // whether the texts in this file are folded
}

// shared is what the loaders of a file and of those that it includes have together.
type shared struct {
	expressions  *expressions
	handlers     map[string]bool
	names        map[string]bool
	zones        map[string]*time.Location
	rules        []Rule
	deflt        *Rule
	expectations []expectation
}

func (l *loader) file() {
	// What all rules of the file need is read first, wherever it stands.
	if zone := configfile.Find(l.Root, "timezone"); zone != nil {
		l.zone = l.location(zone)
	} else {
		l.zone, _ = time.LoadLocation(defaultZone) // embedded
	}
	if fold := configfile.Find(l.Root, "fold"); fold != nil {
		l.fold = l.truth(fold)
	}
	nothing := func(*yaml.Node) {}
	found := false
	before := len(l.load.Problems)
	l.Mapping(l.Root, "rules, default, timezone, fold or expect", map[string]func(*yaml.Node){
		"timezone": nothing,
		"fold":     nothing,
		"rules": func(n *yaml.Node) {
			found = true
			l.List(n, l.item)
		},
		"default": l.defaultRule,
		"expect":  func(n *yaml.Node) { l.List(n, l.expectation) },
	})
	if !found && len(l.load.Problems) == before {
		l.Fail(l.Root, "no rules; expected rules: and a list")
	}
}

// item reads an item of the list of rules: a rule, or the rules of another file.
func (l *loader) item(n *yaml.Node) {
	if include := configfile.Find(n, "include"); include != nil && len(n.Content) == 2 {
		l.include(include)
		return
	}
	l.rule(n)
}

func (l *loader) include(n *yaml.Node) {
	name, ok := l.Scalar(n)
	if !ok {
		return
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.File()), path)
	}
	chain := append(slices.Clone(l.includes), filepath.Clean(l.File()))
	switch {
	case slices.Contains(chain, path):
		l.Fail(n, "include: %s includes itself: %s", name, strings.Join(append(chain, path), " → "))
		return
	case len(chain) > maxIncludes:
		l.Fail(n, "include: files include each other more than %d deep", maxIncludes)
		return
	}
	data, err := l.load.Read(path)
	if err != nil {
		l.Fail(n, "include: %s: %v", path, err)
		return
	}
	doc := l.load.Parse(path, data)
	if doc == nil {
		return
	}
	(&loader{Document: doc, shared: l.shared, load: l.load, includes: chain}).file()
}

// rule reads one rule.
func (l *loader) rule(n *yaml.Node) {
	r := Rule{Name: fmt.Sprintf("#%d", len(l.rules)+1), File: l.File(), Line: n.Line, column: n.Column}
	if name := configfile.Find(n, "name"); name != nil && configfile.IsScalar(name) && name.Value != "" {
		r.Name = name.Value
	}
	l.In = fmt.Sprintf("rule %q", r.Name)
	defer func() { l.In = "" }()
	keys := l.actionKeys(&r.action)
	keys["name"] = func(n *yaml.Node) { l.Scalar(n) }
	keys["match"] = func(n *yaml.Node) { r.match = l.match(n) }
	l.Mapping(n, "name, match and one of "+actions, keys)
	l.oneAction(n)
	l.warnUnread(n)
	l.warnArticles(n, &r.match)
	if l.names[r.Name] {
		l.Fail(n, "another rule has this name; expected a name of its own")
	}
	l.names[r.Name] = true
	l.rules = append(l.rules, r)
}

// defaultRule reads what is said where no rule matches.
func (l *loader) defaultRule(n *yaml.Node) {
	l.In = "default"
	defer func() { l.In = "" }()
	if len(l.includes) > 0 {
		l.Fail(n, "expected in the main file only: it comes behind all rules")
	}
	l.deflt = &Rule{Name: "default", isDefault: true, File: l.File(), Line: n.Line, column: n.Column}
	l.Mapping(n, "one of "+actions, l.actionKeys(&l.deflt.action))
	l.oneAction(n)
	l.warnArticles(n, &match{})
}

// truth reads true or false.
func (l *loader) truth(n *yaml.Node) bool {
	if n.ShortTag() != "!!bool" {
		l.Fail(n, "expected true or false")
		return false
	}
	var b bool
	_ = n.Decode(&b) // the tag says that it is one
	return b
}
