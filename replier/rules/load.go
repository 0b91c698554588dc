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

// maxIncludes is the number of levels to which files may include each other.
const maxIncludes = 16

// Builtin returns the text of the built-in rules.
func Builtin() string { return builtin }

// Options depend on the program that loads the rules.
type Options struct {
	Handlers map[string]bool // names of the handlers that rules may forward to; nil: any, with a warning
	Demo     bool            // put a rule that forwards to the handler "slow" before the built-in rules
}

// Load reads and checks a rules file and the files that it includes. If path is "", it loads the built-in rules. The error is
// configfile.Problems.
func Load(path string) (*Rules, error) {
	load := &configfile.Load{}
	rules := Options{}.Read(load, path)
	return rules, load.Err()
}

// Parse checks and compiles the text of a rules file, which errors name file. The error is configfile.Problems.
func Parse(file string, data []byte) (*Rules, error) {
	load := &configfile.Load{}
	rules := compileRules(load, nil, load.ParseYAML(file, data))
	return rules, load.Err()
}

// Read is like Load, but adds problems and warnings to load. If there are problems, the result is nil.
func (o Options) Read(load *configfile.Load, path string) *Rules {
	if path != "" {
		return compileRules(load, o.Handlers, load.OpenYAML(path))
	}
	var docs []*configfile.Document
	if o.Demo {
		docs = append(docs, load.ParseYAML("demo rules", []byte(demo)))
	}
	return compileRules(load, o.Handlers, append(docs, load.ParseYAML("built-in rules", []byte(builtin)))...)
}

// compileRules compiles the rules of several documents in order. A nil document is one that could not be read.
func compileRules(load *configfile.Load, handlers map[string]bool, docs ...*configfile.Document) *Rules {
	if slices.Contains(docs, nil) {
		return nil
	}
	compiler, err := newCompiler()
	if err != nil { // a mistake in newCompiler
		load.Fail(docs[0].FileName(), "%v", err)
		return nil
	}
	all := &loadState{compiler: compiler, handlers: handlers, names: map[string]bool{}, zones: map[string]*time.Location{}}
	for _, doc := range docs {
		(&fileLoader{Document: doc, load: load, loadState: all}).readFile()
	}
	if len(load.Problems) > 0 {
		return nil
	}
	if all.defaultRule != nil {
		all.rules = append(all.rules, *all.defaultRule)
	}
	r := &Rules{list: all.rules, index: newIndex(all.rules), expectations: all.expectations}
	warnUnreachable(load, r)
	r.warnings, r.warningCount = load.Warnings(), load.WarningCount()
	return r
}

// fileLoader reads the YAML of one rules file.
type fileLoader struct {
	*configfile.Document
	*loadState
	load     *configfile.Load
	includes []string       // the chain of files that include this one, the main file first
	zone     *time.Location // time zone of this file
	fold     bool           // default of fold: in this file
}

// loadState is shared by the loaders of a file and of the files that it includes.
type loadState struct {
	compiler     *celCompiler
	handlers     map[string]bool
	names        map[string]bool
	zones        map[string]*time.Location
	rules        []Rule
	defaultRule  *Rule
	expectations []expectation
}

// readFile reads the whole file.
func (l *fileLoader) readFile() {
	// timezone and fold apply to all rules of the file, so they are read first, wherever they stand.
	if zone := configfile.FindKey(l.Root, "timezone"); zone != nil {
		l.zone = l.readTimeZone(zone)
	} else {
		l.zone, _ = time.LoadLocation(defaultZone) // time/tzdata is linked in
	}
	if fold := configfile.FindKey(l.Root, "fold"); fold != nil {
		l.fold = l.readBool(fold)
	}
	nothing := func(*yaml.Node) {}
	found := false
	before := len(l.load.Problems)
	l.Mapping(l.Root, "rules, default, timezone, fold or expect", map[string]func(*yaml.Node){
		"timezone": nothing,
		"fold":     nothing,
		"rules": func(n *yaml.Node) {
			found = true
			l.EachItem(n, l.readItem)
		},
		"default": l.readDefault,
		"expect":  func(n *yaml.Node) { l.EachItem(n, l.readExpectation) },
	})
	if !found && len(l.load.Problems) == before {
		l.Fail(l.Root, "rules: missing; expected a list of rules")
	}
}

// readItem reads an item of the list of rules: a rule, or an include.
func (l *fileLoader) readItem(n *yaml.Node) {
	if include := configfile.FindKey(n, "include"); include != nil && len(n.Content) == 2 {
		l.readInclude(include)
		return
	}
	l.readRule(n)
}

// readInclude reads another file in place of a rule.
func (l *fileLoader) readInclude(n *yaml.Node) {
	name, ok := l.Scalar(n)
	if !ok {
		return
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.FileName()), path)
	}
	chain := append(slices.Clone(l.includes), filepath.Clean(l.FileName()))
	switch {
	case slices.Contains(chain, path):
		l.Fail(n, "include: %s includes itself: %s", name, strings.Join(append(chain, path), " → "))
		return
	case len(chain) > maxIncludes:
		l.Fail(n, "include: files include each other more than %d levels deep", maxIncludes)
		return
	}
	data, err := l.load.ReadFile(path)
	if err != nil {
		l.Fail(n, "include: %s: %v", path, err)
		return
	}
	doc := l.load.ParseYAML(path, data)
	if doc == nil {
		return
	}
	(&fileLoader{Document: doc, loadState: l.loadState, load: l.load, includes: chain}).readFile()
}

// readRule reads one rule.
func (l *fileLoader) readRule(n *yaml.Node) {
	r := Rule{Name: fmt.Sprintf("#%d", len(l.rules)+1), File: l.FileName(), Line: n.Line, column: n.Column}
	if name := configfile.FindKey(n, "name"); name != nil && configfile.IsScalar(name) && name.Value != "" {
		r.Name = name.Value
	}
	l.In = fmt.Sprintf("rule %q", r.Name)
	defer func() { l.In = "" }()
	keys := l.actionKeys(&r.ruleAction)
	keys["name"] = func(n *yaml.Node) { l.Scalar(n) }
	keys["match"] = func(n *yaml.Node) { r.match = l.readMatch(n) }
	l.Mapping(n, "name, match and one of "+actions, keys)
	l.checkOneAction(n)
	l.warnUnread(n)
	l.warnArticles(n, &r.match)
	if l.names[r.Name] {
		l.Fail(n, "another rule has this name; expected a unique name")
	}
	l.names[r.Name] = true
	l.rules = append(l.rules, r)
}

// readDefault reads the rule that answers if no other does.
func (l *fileLoader) readDefault(n *yaml.Node) {
	l.In = "default"
	defer func() { l.In = "" }()
	if len(l.includes) > 0 {
		l.Fail(n, "expected in the main file only: it applies after all rules")
	}
	l.defaultRule = &Rule{Name: "default", isDefault: true, File: l.FileName(), Line: n.Line, column: n.Column}
	l.Mapping(n, "one of "+actions, l.actionKeys(&l.defaultRule.ruleAction))
	l.checkOneAction(n)
	l.warnArticles(n, &ruleMatch{})
}

// readBool reads true or false.
func (l *fileLoader) readBool(n *yaml.Node) bool {
	if n.ShortTag() != "!!bool" {
		l.Fail(n, "expected true or false")
		return false
	}
	var b bool
	_ = n.Decode(&b) // cannot fail: the tag is checked above
	return b
}
