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

// readMatch reads the conditions of a rule.
func (l *fileLoader) readMatch(n *yaml.Node) ruleMatch {
	var m ruleMatch
	folded := l.fold
	if fold := configfile.FindKey(n, "fold"); fold != nil {
		folded = l.readBool(fold)
		if configfile.FindKey(n, "text") == nil {
			l.Fail(fold, "fold: needs text:, which is missing")
		}
	}
	l.Mapping(n, "account, type, event, event_key, text, fold, time or when", map[string]func(*yaml.Node){
		"account": func(n *yaml.Node) { m.accounts = l.ScalarList(n) },
		"type": func(n *yaml.Node) {
			m.types = l.readMsgTypes(n)
			l.warnTypes(n)
		},
		"event": func(n *yaml.Node) {
			m.events = toLower(l.ScalarList(n))
			l.warnEvents(n)
		},
		"event_key": func(n *yaml.Node) { m.key = l.readTextMatcher(n, true, false) },
		"text":      func(n *yaml.Node) { m.text = l.readTextMatcher(n, false, folded) },
		"fold":      func(*yaml.Node) {},
		"time":      func(n *yaml.Node) { m.times = l.readTimeSpans(n) },
		"when":      func(n *yaml.Node) { m.when = l.readCondition(n) },
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

// readMsgTypes reads MsgTypes in lower case. Unknown ones are allowed, since WeChat may add some, but they must look like a MsgType.
func (l *fileLoader) readMsgTypes(n *yaml.Node) []string {
	types := toLower(l.ScalarList(n))
	for _, t := range types {
		if strings.ContainsFunc(t, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			l.Fail(n, "%q is not a MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends", t)
		}
	}
	return types
}

func toLower(list []string) []string {
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

// readTextMatcher reads the texts, or the event keys if isKey is set, that a rule accepts. A text or a list of texts is short for
// {exact: …}.
func (l *fileLoader) readTextMatcher(n *yaml.Node, isKey, folded bool) *textMatcher {
	a := &textMatcher{fold: folded}
	read := func(to *[]string, fold func(string) string, use wordUse) func(*yaml.Node) {
		return func(n *yaml.Node) {
			*to = l.ScalarList(n)
			l.warnWords(n, use)
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
	expected := "exact or prefix"
	keys := map[string]func(*yaml.Node){"exact": exact, "prefix": read(&a.prefixes, foldPart, wordUse{isKey: isKey, isPrefix: true, folded: folded})}
	if !isKey {
		expected = "exact, prefix, contains or matches"
		keys["contains"] = read(&a.contains, foldPart, wordUse{folded: folded})
		keys["matches"] = func(n *yaml.Node) { l.readPatterns(n, a) }
	}
	l.Mapping(n, expected, keys)
	if len(n.Content) == 0 {
		l.Fail(n, "expected %s", expected)
	}
	return a
}

// maxProgram is the largest size of a regular expression, in instructions of its program. The time for a match is at most
// proportional to this size times the length of the text.
const maxProgram = 5000

// readPatterns reads regular expressions.
func (l *fileLoader) readPatterns(n *yaml.Node, a *textMatcher) {
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

// compilePattern compiles a regular expression. If there is a problem, offset is its byte offset in source.
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

// readCondition reads the expression of when:.
func (l *fileLoader) readCondition(n *yaml.Node) *celCondition {
	source, ok := l.Scalar(n)
	if !ok {
		return nil
	}
	c, problems := l.compiler.compileCondition(source)
	for _, p := range problems {
		l.FailInside(n, p.offset, "when: %s", p.problem)
	}
	if len(problems) == 0 {
		l.warnCondition(n, c)
	}
	return c
}

// readTimeSpans reads one time span or a list of them.
func (l *fileLoader) readTimeSpans(n *yaml.Node) []timeSpan {
	if n.Kind != yaml.SequenceNode {
		return []timeSpan{l.readTimeSpan(n)}
	}
	var spans []timeSpan
	l.EachItem(n, func(n *yaml.Node) { spans = append(spans, l.readTimeSpan(n)) })
	return spans
}

func (l *fileLoader) readTimeSpan(n *yaml.Node) timeSpan {
	s := timeSpan{to: dayMinutes, zone: l.zone}
	before := len(l.load.Problems)
	l.Mapping(n, "from, to, days or timezone", map[string]func(*yaml.Node){
		"from": func(n *yaml.Node) { s.from = l.readClock(n) },
		"to":   func(n *yaml.Node) { s.to = l.readClock(n) },
		"days": func(n *yaml.Node) {
			for _, text := range l.ScalarList(n) {
				if err := addDays(&s.days, text); err != nil {
					l.Fail(n, "days: %v", err)
				}
			}
		},
		"timezone": func(n *yaml.Node) { s.zone = l.readTimeZone(n) },
	})
	if s.from == s.to && len(l.load.Problems) == before {
		l.Fail(n, "from and to are equal; expected a time span")
	}
	if configfile.FindKey(n, "days") == nil {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	return s
}

func (l *fileLoader) readClock(n *yaml.Node) int {
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

func (l *fileLoader) readTimeZone(n *yaml.Node) *time.Location {
	name, ok := l.Scalar(n)
	if !ok {
		return time.UTC
	}
	if l.zones[name] == nil {
		zone, err := time.LoadLocation(name)
		if err != nil {
			l.Fail(n, "%q is not a time zone; expected one such as %s or UTC", name, defaultZone)
			zone = time.UTC
		}
		l.zones[name] = zone
	}
	return l.zones[name]
}
