// Package rules implements the language of rules files. It loads and checks them, and finds the rule that answers a message. To
// reach a bot, it calls a function that its caller passes in.
package rules

import (
	"context"
	"math/rand/v2"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Rules are the rules of a file, checked and compiled. They are immutable and safe for concurrent use.
type Rules struct {
	list         []Rule
	index        ruleIndex
	expectations []expectation
	warnings     configfile.Problems
	warningCount int
}

// RuleCount returns the number of rules without the default.
func (r *Rules) RuleCount() int {
	if n := len(r.list); n > 0 && r.list[n-1].isDefault {
		return n - 1
	}
	return len(r.list)
}

// Warnings returns probable mistakes in the file. If there are many, the last one says how many more there are.
func (r *Rules) Warnings() configfile.Problems { return r.warnings }

// WarningCount returns the number of all warnings.
func (r *Rules) WarningCount() int { return r.warningCount }

// Rule answers the messages that it matches.
type Rule struct {
	ruleAction
	Name string // "#3" if it is the third rule and has no name of its own
	File string
	Line int // from 1

	column    int // from 1
	match     ruleMatch
	isDefault bool // it answers if no other rule does
}

// ruleAction is the answer of a rule: that of a bot, or one of several replies. Without either, the rule is silent.
type ruleAction struct {
	Forward *Forward
	replies []replyFunc
}

// Decision is the answer of the rules to one message.
type Decision struct {
	Rule    *Rule           // the rule that answered; nil: none did
	Reply   *wechatv1.Reply // nil: say nothing
	Failed  []error         // one for each rule that matched but could not answer
	Surplus int             // number of articles left out because WeChat would not show them
	Asks    bool            // nothing is decided yet: a bot must be asked
	Unread  bool            // a bot's answer was dropped because the user would not read it: see mayAnswer
}

// ForwardFunc sends a message to the bot of a rule and returns the bot's reply. The rule's Forward is not nil.
type ForwardFunc func(ctx context.Context, rule *Rule, msg *wechatv1.Message) (*wechatv1.Reply, error)

// Decide returns the answer of the first rule that matches. A rule that fails, or whose reply WeChat would reject, counts as not
// matched. If ask is nil, Decide stops at the first rule that forwards and sets Asks: it then takes microseconds.
func (r *Rules) Decide(ctx context.Context, msg *wechatv1.Message, ask ForwardFunc) Decision {
	var d Decision
	s := newMatchInput(msg)
	left := r.index.findCandidates(s)
	for position, ok := left.nextPosition(); ok; position, ok = left.nextPosition() {
		rule := &r.list[position]
		reason, err := rule.match.mismatchReason(ctx, s)
		if err == nil && reason != "" {
			continue
		}
		if err == nil && rule.Forward != nil && ask == nil {
			return Decision{Asks: true}
		}
		var reply *wechatv1.Reply
		if err == nil {
			reply, err = rule.makeAnswer(ctx, s, ask, &d)
		}
		if err != nil {
			d.Failed = append(d.Failed, &ruleError{rule.Name, err})
			continue
		}
		d.Rule = rule
		d.Reply, d.Surplus = reply.WithoutSurplus(msg)
		return d
	}
	return d
}

// makeAnswer returns the rule's reply. It is nil if the rule may not answer the message, but the bot is asked all the same. If
// the bot fails and the fallback answers, the failure is added to d.
func (r *Rule) makeAnswer(ctx context.Context, s *matchInput, ask ForwardFunc, d *Decision) (*wechatv1.Reply, error) {
	action, mayAnswer := &r.ruleAction, r.mayAnswer(s)
	if r.Forward != nil {
		reply, err := ask(ctx, r, s.msg)
		switch {
		case err == nil && !mayAnswer:
			d.Unread = reply.GetContent() != nil
			return nil, nil
		case err == nil || r.Forward.fallback == nil:
			return reply, err
		}
		d.Failed = append(d.Failed, &ruleError{r.Name, err})
		action = r.Forward.fallback
	}
	if !mayAnswer {
		return nil, nil
	}
	return action.makeReply(ctx, s.msg)
}

// makeReply makes one of the replies, chosen at random; nil if there are none.
func (a *ruleAction) makeReply(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	if len(a.replies) == 0 {
		return nil, nil
	}
	reply := a.replies[0]
	if len(a.replies) > 1 {
		reply = a.replies[rand.IntN(len(a.replies))]
	}
	return reply.makeChecked(ctx, msg)
}

// makeChecked makes the reply, and checks that WeChat would accept the part of it that is shown.
func (m replyFunc) makeChecked(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	reply, err := m(ctx, msg)
	if err != nil {
		return nil, err
	}
	shown, _ := reply.WithoutSurplus(msg)
	return reply, shown.Validate()
}

// ruleError says which rule failed and why.
type ruleError struct {
	rule  string
	cause error
}

func (e *ruleError) Error() string { return "rule " + e.rule + ": " + e.cause.Error() }
func (e *ruleError) Unwrap() error { return e.cause }
