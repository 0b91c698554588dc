package rules

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// ruleMatch holds the conditions of a rule. A message must meet all of them; a condition that is not set is always met.
type ruleMatch struct {
	accounts []string
	types    []string // MsgTypes in lower case
	events   []string // event names in lower case
	key      *textMatcher
	text     *textMatcher
	times    []timeSpan
	when     *celCondition
}

// textMatcher matches a text that meets one of its conditions. If fold is set, it matches folded texts.
type textMatcher struct {
	fold                      bool
	exact, prefixes, contains []string
	patterns                  []*regexp.Regexp
	sources                   []string // of patterns, as written
}

// matchInput is a message, prepared for matching.
type matchInput struct {
	msg       *wechatv1.Message
	msgType   string // in lower case
	event     string // in lower case
	isEvent   bool
	folded    string // the folded text, if hasFolded is set
	hasFolded bool
	sent      time.Time
}

func newMatchInput(msg *wechatv1.Message) *matchInput {
	s := &matchInput{msg: msg, msgType: strings.ToLower(msg.Kind()), sent: time.Now()}
	if e := msg.GetEvent(); e != nil {
		s.isEvent, s.event = true, strings.ToLower(e.GetEvent())
	}
	if at := msg.GetCreateTime(); at != 0 {
		s.sent = time.Unix(at, 0)
	}
	return s
}

// maxMatched is the length of the text that is matched, in bytes; the rest is ignored. It bounds the time for regular
// expressions. Users of WeChat can send about 6,000 bytes.
const maxMatched = 8 << 10

// messageText returns the text of a text message, folded if folded is set.
func (s *matchInput) messageText(folded bool) string {
	text := s.msg.GetText().GetContent()
	if len(text) > maxMatched {
		text = text[:maxMatched]
	}
	if !folded {
		return text
	}
	if !s.hasFolded {
		s.folded, s.hasFolded = foldWhole(text), true
	}
	return s.folded
}

// Reasons why a rule does not match, as "rules try" prints them.
const (
	otherAccount = "the account differs"
	otherType    = "the message type differs"
	otherEvent   = "the event differs"
	otherKey     = "the event key differs"
	otherText    = "the text differs"
	otherTime    = "the time differs"
	notWhen      = "when: is false"
)

// mismatchReason returns why the rule does not match the message; "" if it matches. err says why when: failed.
func (m *ruleMatch) mismatchReason(ctx context.Context, s *matchInput) (why string, err error) {
	switch {
	case len(m.accounts) > 0 && !slices.Contains(m.accounts, s.msg.GetAccount()):
		return otherAccount, nil
	case len(m.types) > 0 && !slices.Contains(m.types, s.msgType):
		return otherType, nil
	case len(m.events) > 0 && (!s.isEvent || !slices.Contains(m.events, s.event)):
		return otherEvent, nil
	case m.key != nil && (!s.isEvent || !m.key.matchesText(s.msg.GetEvent().GetEventKey())):
		return otherKey, nil
	case m.text != nil && s.msgType != "text":
		return otherType, nil
	case m.text != nil && !m.text.matchesText(s.messageText(m.text.fold)):
		return otherText, nil
	case len(m.times) > 0 && !slices.ContainsFunc(m.times, func(t timeSpan) bool { return t.containsTime(s.sent) }):
		return otherTime, nil
	case m.when == nil:
		return "", nil
	}
	holds, err := m.when.evalCondition(ctx, s.msg)
	if err != nil || !holds {
		return notWhen, err
	}
	return "", nil
}

// matchesText reports whether text meets one of the conditions. If a.fold is set, text must be folded.
func (a *textMatcher) matchesText(text string) bool {
	return slices.Contains(a.exact, text) ||
		slices.ContainsFunc(a.prefixes, func(p string) bool { return strings.HasPrefix(text, p) }) ||
		slices.ContainsFunc(a.contains, func(c string) bool { return strings.Contains(text, c) }) ||
		slices.ContainsFunc(a.patterns, func(r *regexp.Regexp) bool { return r.MatchString(text) })
}
