package rules

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	wechatv1 "wxgate/proto/wechat/v1"
)

// match says which messages a rule is for: all its conditions hold. A condition that is not set holds for all.
type match struct {
	accounts []string
	types    []string // MsgTypes in lower case
	events   []string // event names in lower case
	key      *alternatives
	text     *alternatives
	times    []span
	when     *condition
}

// alternatives are what a text may be; one of them is enough. Where fold is set they are folded, and so is the text.
type alternatives struct {
	fold                      bool
	exact, prefixes, contains []string
	patterns                  []*regexp.Regexp
	sources                   []string // of the patterns, as written
}

// condition is a CEL expression that gives true or false.
type condition struct {
	source  string
	program cel.Program
}

// subject is a message as rules look at it.
type subject struct {
	msg       *wechatv1.Message
	msgType   string // in lower case
	event     string // in lower case
	isEvent   bool
	folded    string // the text folded, once asked for
	hasFolded bool
	sent      time.Time
}

func newSubject(msg *wechatv1.Message) *subject {
	s := &subject{msg: msg, msgType: strings.ToLower(msg.Kind()), sent: time.Now()}
	if e := msg.GetEvent(); e != nil {
		s.isEvent, s.event = true, strings.ToLower(e.GetEvent())
	}
	if at := msg.GetCreateTime(); at != 0 {
		s.sent = time.Unix(at, 0)
	}
	return s
}

// maxLooked is how much of a text conditions look at, in bytes: regular expressions take their time. WeChat's users can
// send some 6,000.
const maxLooked = 8 << 10

// text returns the text of a text message, folded where asked.
func (s *subject) text(folded bool) string {
	text := s.msg.GetText().GetContent()
	if len(text) > maxLooked {
		text = text[:maxLooked]
	}
	if !folded {
		return text
	}
	if !s.hasFolded {
		s.folded, s.hasFolded = foldWhole(text), true
	}
	return s.folded
}

// Why a rule does not match, for those who ask.
const (
	otherAccount = "the account is another"
	otherType    = "the message type is another"
	otherEvent   = "the event is another"
	otherKey     = "the event key is another"
	otherText    = "the text is another"
	otherTime    = "it was sent at another time"
	notWhen      = "when: is false"
)

// miss returns why the rule is not for the message; "" where it is. err is why a condition could not be evaluated.
func (m *match) miss(ctx context.Context, s *subject) (why string, err error) {
	switch {
	case len(m.accounts) > 0 && !slices.Contains(m.accounts, s.msg.GetAccount()):
		return otherAccount, nil
	case len(m.types) > 0 && !slices.Contains(m.types, s.msgType):
		return otherType, nil
	case len(m.events) > 0 && (!s.isEvent || !slices.Contains(m.events, s.event)):
		return otherEvent, nil
	case m.key != nil && (!s.isEvent || !m.key.match(s.msg.GetEvent().GetEventKey())):
		return otherKey, nil
	case m.text != nil && s.msgType != "text":
		return otherType, nil
	case m.text != nil && !m.text.match(s.text(m.text.fold)):
		return otherText, nil
	case len(m.times) > 0 && !slices.ContainsFunc(m.times, func(t span) bool { return t.holds(s.sent) }):
		return otherTime, nil
	case m.when == nil:
		return "", nil
	}
	holds, err := m.when.holds(ctx, s.msg)
	if err != nil || !holds {
		return notWhen, err
	}
	return "", nil
}

// match tells whether one of the alternatives is text, which is folded where they are.
func (a *alternatives) match(text string) bool {
	return slices.Contains(a.exact, text) ||
		slices.ContainsFunc(a.prefixes, func(p string) bool { return strings.HasPrefix(text, p) }) ||
		slices.ContainsFunc(a.contains, func(c string) bool { return strings.Contains(text, c) }) ||
		slices.ContainsFunc(a.patterns, func(r *regexp.Regexp) bool { return r.MatchString(text) })
}

// evalError is an expression that failed on a message. Its text holds nothing of the message; its cause may.
type evalError struct {
	text  string
	cause error
}

func (e *evalError) Error() string { return e.text }

// holds evaluates the condition. Its error holds nothing of the message.
func (c *condition) holds(ctx context.Context, msg *wechatv1.Message) (bool, error) {
	value, _, err := c.program.ContextEval(ctx, map[string]any{"message": msg})
	if err != nil {
		return false, &evalError{"when: failed on this message", err}
	}
	holds, _ := value.Value().(bool) // what is compiled gives a bool
	return holds, nil
}
