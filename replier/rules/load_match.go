package rules

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
)

// match reads what a rule matches.
func (l *loader) match(n *yaml.Node) match {
	var m match
	folded := l.fold
	if fold := configfile.Find(n, "fold"); fold != nil {
		folded = l.truth(fold)
		if configfile.Find(n, "text") == nil {
			l.Fail(fold, "fold: is for text:, which is missing")
		}
	}
	l.Mapping(n, "account, type, event, event_key, text, fold, time or when", map[string]func(*yaml.Node){
		"account": func(n *yaml.Node) { m.accounts = l.Scalars(n) },
		"type": func(n *yaml.Node) {
			m.types = l.msgTypes(n)
			l.warnTypes(n)
		},
		"event": func(n *yaml.Node) {
			m.events = lower(l.Scalars(n))
			l.warnEvents(n)
		},
		"event_key": func(n *yaml.Node) { m.key = l.alternatives(n, false, "exact or prefix") },
		"text":      func(n *yaml.Node) { m.text = l.alternatives(n, folded, "exact, prefix, contains or matches") },
		"fold":      func(*yaml.Node) {},
		"time":      func(n *yaml.Node) { m.times = l.spans(n) },
		"when":      func(n *yaml.Node) { m.when = l.when(n) },
	})
	if events := len(m.events) > 0 || m.key != nil; events && len(m.types) > 0 && !slices.Equal(m.types, []string{"event"}) {
		l.Fail(n, "event and event_key match events only; expected type: event, or no type")
	} else if events && m.text != nil {
		l.Fail(n, "a message is a text or an event; expected text, or event and event_key")
	}
	if m.text != nil && len(m.types) > 0 && !slices.Equal(m.types, []string{"text"}) {
		l.Fail(n, "text matches text messages only; expected type: text, or no type")
	}
	return m
}

// msgTypes reads MsgTypes. Those of tomorrow are allowed, but not a slip of today's.
func (l *loader) msgTypes(n *yaml.Node) []string {
	types := lower(l.Scalars(n))
	for _, t := range types {
		if strings.ContainsFunc(t, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			l.Fail(n, "%q is no MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends", t)
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

// alternatives reads what a text may be. A text or a list of them is short for {exact: …}.
func (l *loader) alternatives(n *yaml.Node, folded bool, expected string) *alternatives {
	a := &alternatives{fold: folded}
	isKey := !strings.Contains(expected, "contains")
	read := func(to *[]string, fold func(string) string, look wordUse) func(*yaml.Node) {
		return func(n *yaml.Node) {
			*to = l.Scalars(n)
			l.warnWords(n, look)
			for i, s := range *to {
				if folded {
					(*to)[i] = fold(s)
				}
			}
		}
	}
	exact := read(&a.exact, foldWhole, wordUse{isKey: isKey, isWhole: true, folded: folded})
	if n.Kind != yaml.MappingNode {
		exact(n)
		return a
	}
	keys := map[string]func(*yaml.Node){"exact": exact, "prefix": read(&a.prefixes, foldPart, wordUse{isKey: isKey, isPrefix: true, folded: folded})}
	if !isKey {
		keys["contains"] = read(&a.contains, foldPart, wordUse{folded: folded})
		keys["matches"] = func(n *yaml.Node) { l.patterns(n, a) }
	}
	l.Mapping(n, expected, keys)
	if len(n.Content) == 0 {
		l.Fail(n, "expected %s", expected)
	}
	return a
}

// maxProgram is the largest regular expression, in instructions of its program: its time is that times the text.
const maxProgram = 5000

// patterns reads regular expressions.
func (l *loader) patterns(n *yaml.Node, a *alternatives) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
		items = n.Content
	}
	for _, item := range items {
		source, ok := l.Scalar(item)
		if !ok {
			continue
		}
		pattern, problem, offset := compilePattern(source)
		if problem == "" && a.fold {
			pattern, problem, _ = compilePattern("(?i)" + foldPattern(source))
		}
		if problem != "" {
			l.FailInside(item, offset, "matches: %s", problem)
			continue
		}
		a.patterns, a.sources = append(a.patterns, pattern), append(a.sources, source)
	}
}

// compilePattern compiles a regular expression; offset is where in source a problem is.
func compilePattern(source string) (pattern *regexp.Regexp, problem string, offset int) {
	parsed, err := syntax.Parse(source, syntax.Perl)
	if invalid, ok := errors.AsType[*syntax.Error](err); ok {
		at := max(0, strings.Index(source, invalid.Expr))
		return nil, invalid.Code.String() + ": `" + invalid.Expr + "`; expected RE2 syntax", at
	}
	if err == nil {
		var program *syntax.Prog
		if program, err = syntax.Compile(parsed.Simplify()); err == nil && len(program.Inst) > maxProgram {
			return nil, "the regular expression is too large; expected fewer or smaller repetitions", 0
		}
	}
	if err == nil {
		pattern, err = regexp.Compile(source)
	}
	if err != nil {
		return nil, err.Error(), 0
	}
	return pattern, "", 0
}

// when reads a condition.
func (l *loader) when(n *yaml.Node) *condition {
	source, ok := l.Scalar(n)
	if !ok {
		return nil
	}
	c, problems := l.expressions.condition(source)
	for _, p := range problems {
		l.FailInside(n, p.offset, "when: %s", p.problem)
	}
	if len(problems) == 0 {
		l.warnCondition(n, c)
	}
	return c
}

// spans reads a time of day and days, or a list of them.
func (l *loader) spans(n *yaml.Node) []span {
	if n.Kind != yaml.SequenceNode {
		return []span{l.span(n)}
	}
	var spans []span
	l.List(n, func(n *yaml.Node) { spans = append(spans, l.span(n)) })
	return spans
}

func (l *loader) span(n *yaml.Node) span {
	s := span{to: dayMinutes, zone: l.zone}
	before := len(l.load.Problems)
	l.Mapping(n, "from, to, days or timezone", map[string]func(*yaml.Node){
		"from": func(n *yaml.Node) { s.from = l.clock(n) },
		"to":   func(n *yaml.Node) { s.to = l.clock(n) },
		"days": func(n *yaml.Node) {
			for _, text := range l.Scalars(n) {
				if err := addDays(&s.days, text); err != nil {
					l.Fail(n, "days: %v", err)
				}
			}
		},
		"timezone": func(n *yaml.Node) { s.zone = l.location(n) },
	})
	if s.from == s.to && len(l.load.Problems) == before {
		l.Fail(n, "from and to are one time; expected a span")
	}
	if configfile.Find(n, "days") == nil {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	return s
}

func (l *loader) clock(n *yaml.Node) int {
	text, ok := l.Scalar(n)
	if !ok {
		return 0
	}
	minutes, err := parseClock(text)
	if err != nil {
		l.Fail(n, "%v", err)
	}
	return minutes
}

func (l *loader) location(n *yaml.Node) *time.Location {
	name, ok := l.Scalar(n)
	if !ok {
		return time.UTC
	}
	if l.zones[name] == nil {
		zone, err := time.LoadLocation(name)
		if err != nil {
			l.Fail(n, "%q is no time zone; expected one such as %s or UTC", name, defaultZone)
			zone = time.UTC
		}
		l.zones[name] = zone
	}
	return l.zones[name]
}
