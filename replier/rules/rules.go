// Package rules is the language of rules files: it loads and checks them, and finds the rule that answers a message. It asks no
// bot itself.
package rules

import (
	"context"
	"math/rand/v2"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Rules are a rules file, checked and compiled. They are immutable and safe for concurrent use.
type Rules struct {
	list         []Rule
	index        index
	expectations []expectation
	warnings     configfile.Problems
	warned       int
}

// Len returns the number of rules, the default not counted.
func (r *Rules) Len() int {
	if n := len(r.list); n > 0 && r.list[n-1].isDefault {
		return n - 1
	}
	return len(r.list)
}

// Warnings returns what the file says and probably does not mean. If there are many, the last one says how many more.
func (r *Rules) Warnings() configfile.Problems { return r.warnings }

// Warned returns how many warnings there are.
func (r *Rules) Warned() int { return r.warned }

// Rule answers what it matches.
type Rule struct {
	Name      string
	match     match
	isDefault bool // what is said where no rule matches
	action
	File         string
	Line, column int
}

// action is what a rule does: it forwards, or says one of several replies, or where there is none, nothing.
type action struct {
	Forward *Forward
	replies []maker
}

// Decision is what the rules say about one message.
type Decision struct {
	Rule    *Rule           // the rule that answered; nil: none did
	Reply   *wechatv1.Reply // nil: say nothing
	Failed  []error         // of rules that matched and could not answer
	Surplus int             // articles that were left out, as WeChat does not show them
	Asks    bool            // nothing is decided: a bot has to be asked
	Unread  bool            // a bot answered, and nobody would read it: see mayAnswer
}

// ForwardFunc hands a message to the bot of a rule, whose Forward is not nil.
type ForwardFunc func(ctx context.Context, rule *Rule, msg *wechatv1.Message) (*wechatv1.Reply, error)

// Decide returns the answer of the first rule that matches. A rule that fails, or whose reply WeChat would not take,
// counts as not matched. Where ask is nil it ends at a rule that forwards: then it takes microseconds.
func (r *Rules) Decide(ctx context.Context, msg *wechatv1.Message, ask ForwardFunc) Decision {
	var d Decision
	s := newSubject(msg)
	left := r.index.candidates(s)
	for place, ok := left.next(); ok; place, ok = left.next() {
		rule := &r.list[place]
		miss, err := rule.match.miss(ctx, s)
		if err == nil && miss != "" {
			continue
		}
		if err == nil && rule.Forward != nil && ask == nil {
			return Decision{Asks: true}
		}
		var reply *wechatv1.Reply
		if err == nil {
			reply, err = rule.answer(ctx, s, ask, &d)
		}
		if err != nil {
			d.Failed = append(d.Failed, &ruleError{rule.Name, err})
			continue
		}
		d.Rule = rule
		d.Reply, d.Surplus = reply.Shown(msg)
		return d
	}
	return d
}

// answer returns what the rule says: nothing if it may not answer the message, though its bot is told of it. If a bot failed
// and the fallback answers, that is noted in d.
func (r *Rule) answer(ctx context.Context, s *subject, ask ForwardFunc, d *Decision) (*wechatv1.Reply, error) {
	says, mayAnswer := &r.action, r.mayAnswer(s)
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
		says = r.Forward.fallback
	}
	if !mayAnswer {
		return nil, nil
	}
	return says.say(ctx, s.msg)
}

// say makes one of the replies; nil where there is none.
func (a *action) say(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	if len(a.replies) == 0 {
		return nil, nil
	}
	one := a.replies[0]
	if len(a.replies) > 1 {
		one = a.replies[rand.IntN(len(a.replies))]
	}
	return one.make(ctx, msg)
}

// make makes the reply and checks that WeChat would take what it shows of it.
func (m maker) make(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	reply, err := m(ctx, msg)
	if err != nil {
		return nil, err
	}
	shown, _ := reply.Shown(msg)
	return reply, shown.Validate()
}

// ruleError is a rule that could not answer.
type ruleError struct {
	rule  string
	cause error
}

func (e *ruleError) Error() string { return "rule " + e.rule + ": " + e.cause.Error() }
func (e *ruleError) Unwrap() error { return e.cause }
