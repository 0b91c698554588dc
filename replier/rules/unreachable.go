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

// maxCompared bounds how many pairs of rules are compared for a warning.
const maxCompared = 1_000_000

// warnUnreachable warns of rules that never answer, because an earlier one takes everything that they match.
func warnUnreachable(load *configfile.Load, r *Rules) {
	compared := 0
	for i := range r.list {
		b := &r.list[i]
		if b.isDefault {
			continue
		}
		// A rule that takes all that b matches takes this message: only those that may match it are looked at.
		example := b.match.example()
		left := r.index.candidates(newSubject(example))
		for place, ok := left.next(); ok && int(place) < i && compared < maxCompared; place, ok = left.next() {
			compared++
			if a := &r.list[place]; a.match.covers(&b.match) && a.surely(example) {
				at := fmt.Sprintf("line %d", a.Line)
				if a.File != b.File {
					at = fmt.Sprintf("%s:%d", a.File, a.Line)
				}
				load.Warn(configfile.Problem{
					File: b.File, Line: b.Line, Column: b.column, In: fmt.Sprintf("rule %q", b.Name),
					Text: fmt.Sprintf("never answers: rule %q (%s) takes everything that it matches", a.Name, at),
				})
				break
			}
		}
	}
}

// surely tells whether a rule that matches a message answers it, as far as one can know: a bot may be away.
func (a *action) surely(msg *wechatv1.Message) bool {
	if a.Forward != nil {
		return a.Forward.fallback != nil && a.Forward.fallback.surely(msg)
	}
	_, err := a.all(context.Background(), msg)
	return err == nil
}

// example returns a message that the rule matches, but for what no message can be made from: expressions, regular
// expressions and times.
func (m *match) example() *wechatv1.Message {
	msg := &wechatv1.Message{CreateTime: 1}
	if len(m.accounts) > 0 {
		msg.Account = m.accounts[0]
	}
	types, events := m.kinds()
	if len(types) > 0 {
		msg.MsgType = types[0]
	}
	if m.text != nil {
		msg.Content = &wechatv1.Message_Text{Text: &wechatv1.Text{Content: m.text.example()}}
	}
	if msg.MsgType == "event" {
		event := &wechatv1.Event{}
		if len(events) > 0 {
			event.Event = events[0]
		}
		if m.key != nil {
			event.EventKey = m.key.example()
		}
		msg.Content = &wechatv1.Message_Event{Event: event}
	}
	return msg
}

func (a *alternatives) example() string {
	return slices.Concat(a.exact, a.prefixes, a.contains, []string{""})[0]
}

// kinds returns the types and events that the rule can match; none: all.
func (m *match) kinds() (types, events []string) {
	switch {
	case m.text != nil:
		return []string{"text"}, nil
	case len(m.events) > 0 || m.key != nil:
		return []string{"event"}, m.events
	}
	return m.types, nil
}

// covers tells whether m surely matches every message that b matches.
func (m *match) covers(b *match) bool {
	types, events := m.kinds()
	typesB, eventsB := b.kinds()
	return within(b.accounts, m.accounts) && within(typesB, types) && within(eventsB, events) &&
		m.key.covers(b.key) && m.text.covers(b.text) &&
		(len(m.times) == 0 || reflect.DeepEqual(m.times, b.times)) &&
		(m.when == nil || b.when != nil && m.when.source == b.when.source)
}

// within tells whether those are all among these; none of these means all.
func within(those, these []string) bool {
	if len(these) == 0 {
		return true
	}
	return len(those) > 0 && !slices.ContainsFunc(those, func(s string) bool { return !slices.Contains(these, s) })
}

// covers tells whether every text that b takes is one that a takes; nil takes all.
func (a *alternatives) covers(b *alternatives) bool {
	if a == nil || b == nil {
		return a == nil
	}
	if b.fold && !a.fold {
		return false
	}
	as := func(s string) string { // what a surely sees of it: folding may take blanks from its ends
		if a.fold && !b.fold {
			return foldWhole(s)
		}
		return s
	}
	if slices.ContainsFunc(b.exact, func(s string) bool { return !a.match(as(s)) }) {
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
