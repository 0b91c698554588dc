package replier

import (
	"context"
	"math/rand/v2"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Rules are a rules file, checked and compiled. They are immutable and safe for concurrent use.
type Rules struct {
	list         []rule
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

// rule answers what it matches.
type rule struct {
	name      string
	match     match
	isDefault bool // what is said where no rule matches
	action
	file         string
	line, column int
}

// action is what a rule does: it forwards, or says one of several replies, or where there is none, nothing.
type action struct {
	forward *forward
	replies []maker
}

// decision is what the rules say about one message.
type decision struct {
	rule   *rule           // the rule that answered; nil: none did
	reply  *wechatv1.Reply // nil: say nothing
	failed []error         // of rules that matched and could not answer

	fetched bool // no rule was asked: the user waited for the answer to an earlier message
	asks    bool // nothing is decided: a bot has to be asked
	surplus int  // articles that were left out, as WeChat does not show them
	unread  bool // a bot answered, and nobody would read it: see mayAnswer
}

// hasOnlyFailures reports whether rules matched and none could answer.
func (d decision) hasOnlyFailures() bool { return d.rule == nil && len(d.failed) > 0 }

// asker hands a message to a bot.
type asker func(ctx context.Context, f *forward, msg *wechatv1.Message) (*wechatv1.Reply, error)

// decide returns the answer of the first rule that matches. A rule that fails, or whose reply WeChat would not take,
// counts as not matched. Where ask is nil it ends at a rule that forwards: then it takes microseconds.
func (r *Rules) decide(ctx context.Context, msg *wechatv1.Message, ask asker) decision {
	var d decision
	s := newSubject(msg)
	left := r.index.candidates(s)
	for place, ok := left.next(); ok; place, ok = left.next() {
		rule := &r.list[place]
		miss, err := rule.match.miss(ctx, s)
		if err == nil && miss != "" {
			continue
		}
		if err == nil && rule.forward != nil && ask == nil {
			return decision{asks: true}
		}
		var reply *wechatv1.Reply
		if err == nil {
			reply, err = rule.answer(ctx, s, ask, &d)
		}
		if err != nil {
			d.failed = append(d.failed, &ruleError{rule.name, err})
			continue
		}
		d.rule = rule
		d.reply, d.surplus = reply.Shown(msg)
		return d
	}
	return d
}

// answer returns what the rule says: nothing if it may not answer the message, though its bot is told of it. If a bot failed
// and the fallback answers, that is noted in d.
func (r *rule) answer(ctx context.Context, s *subject, ask asker, d *decision) (*wechatv1.Reply, error) {
	says, mayAnswer := &r.action, r.mayAnswer(s)
	if r.forward != nil {
		reply, err := ask(ctx, r.forward, s.msg)
		switch {
		case err == nil && !mayAnswer:
			d.unread = reply.GetContent() != nil
			return nil, nil
		case err == nil || r.forward.fallback == nil:
			return reply, err
		}
		d.failed = append(d.failed, &ruleError{r.name, err})
		says = r.forward.fallback
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
