package replier

import (
	"context"
	"slices"
	"strings"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Rules are a rules file, checked and compiled. They are immutable and safe for concurrent use.
type Rules struct {
	list []rule
}

// Len returns the number of rules.
func (r *Rules) Len() int { return len(r.list) }

// rule answers what it matches.
type rule struct {
	name  string
	match match
	reply answer // nil: silent
}

// match says which messages a rule is for; an empty list matches all.
type match struct {
	types, events []string // in lower case
	eventKeys     []string
}

func (m *match) matches(msg *wechatv1.Message) bool {
	if len(m.types) > 0 && !slices.Contains(m.types, strings.ToLower(msg.GetMsgType())) {
		return false
	}
	e := msg.GetEvent()
	if len(m.events) > 0 && (e == nil || !slices.Contains(m.events, strings.ToLower(e.GetEvent()))) {
		return false
	}
	return len(m.eventKeys) == 0 || e != nil && slices.Contains(m.eventKeys, e.GetEventKey())
}

// decision is what the rules say about one message.
type decision struct {
	rule   string          // the rule that answered; "": none did
	reply  *wechatv1.Reply // nil: say nothing
	failed []error         // of rules that matched and could not answer
}

// decide returns the answer of the first rule that matches. A rule that matches and fails, or whose reply WeChat would not
// take, counts as not matched.
func (r *Rules) decide(ctx context.Context, msg *wechatv1.Message) decision {
	var d decision
	for i := range r.list {
		rule := &r.list[i]
		if !rule.match.matches(msg) {
			continue
		}
		if rule.reply == nil {
			d.rule = rule.name
			return d
		}
		reply, err := rule.reply(ctx, msg)
		if err == nil {
			err = reply.ValidateFor(msg)
		}
		if err != nil {
			d.failed = append(d.failed, &ruleError{rule.name, err})
			continue
		}
		d.rule, d.reply = rule.name, reply
		return d
	}
	return d
}

// ruleError is a rule that could not answer.
type ruleError struct {
	rule  string
	cause error
}

func (e *ruleError) Error() string { return "rule " + e.rule + ": " + e.cause.Error() }
func (e *ruleError) Unwrap() error { return e.cause }
