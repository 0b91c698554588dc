package rules

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// maxCompared is the number of pairs of rules that are compared.
const maxCompared = 1_000_000

// warnUnreachable warns of rules that never answer because an earlier rule answers everything that they match.
func warnUnreachable(load *configfile.Load, r *Rules) {
	compared := 0
	for i := range r.list {
		later := &r.list[i]
		if later.isDefault {
			continue
		}
		// A rule that matches all messages of the later one matches this one, too: the index finds the few that may.
		example := later.match.exampleMessage()
		left := r.index.findCandidates(newMatchInput(example))
		for position, ok := left.nextPosition(); ok && int(position) < i && compared < maxCompared; position, ok = left.nextPosition() {
			compared++
			if earlier := &r.list[position]; earlier.match.coversMatch(&later.match) && earlier.surelyAnswers(example) {
				load.Warn(unreachableProblem(earlier, later))
				break
			}
		}
	}
}

func unreachableProblem(earlier, later *Rule) configfile.Problem {
	at := fmt.Sprintf("line %d", earlier.Line)
	if earlier.File != later.File {
		at = fmt.Sprintf("%s:%d", earlier.File, earlier.Line)
	}
	return configfile.Problem{
		File: later.File, Line: later.Line, Column: later.column, In: fmt.Sprintf("rule %q", later.Name),
		Text: fmt.Sprintf("never answers: rule %q (%s) answers everything that it matches", earlier.Name, at),
	}
}

// surelyAnswers reports whether a rule that matches msg is sure to answer it: a bot without a fallback may be unreachable.
func (a *ruleAction) surelyAnswers(msg *wechatv1.Message) bool {
	if a.Forward != nil {
		return a.Forward.fallback != nil && a.Forward.fallback.surelyAnswers(msg)
	}
	_, err := a.makeAllReplies(context.Background(), msg)
	return err == nil
}

// exampleMessage returns a message that meets all conditions except when:, matches: and time:, for which no example can be
// made.
func (m *ruleMatch) exampleMessage() *wechatv1.Message {
	msg := &wechatv1.Message{CreateTime: 1}
	if len(m.accounts) > 0 {
		msg.Account = m.accounts[0]
	}
	types, events := m.typesAndEvents()
	if len(types) > 0 {
		msg.MsgType = types[0]
	}
	if m.text != nil {
		msg.Content = &wechatv1.Message_Text{Text: &wechatv1.Text{Content: m.text.exampleText()}}
	}
	if msg.MsgType == "event" {
		event := &wechatv1.Event{}
		if len(events) > 0 {
			event.Event = events[0]
		}
		if m.key != nil {
			event.EventKey = m.key.exampleText()
		}
		msg.Content = &wechatv1.Message_Event{Event: event}
	}
	return msg
}

func (a *textMatcher) exampleText() string {
	return slices.Concat(a.exact, a.prefixes, a.contains, []string{""})[0]
}

// typesAndEvents returns the types and events that the rule can match. An empty list stands for all.
func (m *ruleMatch) typesAndEvents() (types, events []string) {
	switch {
	case m.text != nil:
		return []string{"text"}, nil
	case len(m.events) > 0 || m.key != nil:
		return []string{"event"}, m.events
	}
	return m.types, nil
}

// coversMatch reports whether m is sure to match every message that b matches.
func (m *ruleMatch) coversMatch(b *ruleMatch) bool {
	types, events := m.typesAndEvents()
	typesB, eventsB := b.typesAndEvents()
	return isSubset(b.accounts, m.accounts) && isSubset(typesB, types) && isSubset(eventsB, events) &&
		m.key.coversTexts(b.key) && m.text.coversTexts(b.text) &&
		(len(m.times) == 0 || reflect.DeepEqual(m.times, b.times)) &&
		(m.when == nil || b.when != nil && m.when.source == b.when.source)
}

// isSubset reports whether all of those are among these. An empty list stands for all names.
func isSubset(those, these []string) bool {
	if len(these) == 0 {
		return true
	}
	return len(those) > 0 && !slices.ContainsFunc(those, func(s string) bool { return !slices.Contains(these, s) })
}

// coversTexts reports whether a is sure to match every text that b matches. A nil textMatcher matches all.
func (a *textMatcher) coversTexts(b *textMatcher) bool {
	if a == nil || b == nil {
		return a == nil
	}
	if b.fold && !a.fold {
		return false
	}
	as := func(s string) string { // the part of s that a is sure to see: folding may remove spaces at its ends
		if a.fold && !b.fold {
			return foldWhole(s)
		}
		return s
	}
	if slices.ContainsFunc(b.exact, func(s string) bool { return !a.matchesText(as(s)) }) {
		return false
	}
	for _, p := range b.prefixes {
		if !hasPrefixOf(as(p), a.prefixes) && !hasPartOf(as(p), a.contains) {
			return false
		}
	}
	for _, c := range b.contains {
		if !hasPartOf(as(c), a.contains) {
			return false
		}
	}
	for _, s := range b.sources {
		if a.fold != b.fold || !slices.Contains(a.sources, s) {
			return false
		}
	}
	return true
}

func hasPrefixOf(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

func hasPartOf(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
