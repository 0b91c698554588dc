package rules

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Trial is what the rules would do with a message.
type Trial struct {
	Rule    string            // the rule that answers; "": none does
	File    string            // where it stands
	Line    int               // from 1
	Forward string            // the bot that would be asked; it is not
	Replies []*wechatv1.Reply // what is said: one of them; none: nothing
	Unread  bool              // what the rule or its bot says is not sent: nobody sees the event answered
	Missed  []Miss            // the rules in front of it, in order
}

// Miss is why a rule does not answer a message.
type Miss struct{ Rule, Why string }

// Try tells which rule answers a message, with what, and why those in front of it do not. No bot is asked.
func (r *Rules) Try(ctx context.Context, msg *wechatv1.Message) Trial {
	s := newSubject(msg)
	var t Trial
	for i := range r.list {
		rule := &r.list[i]
		miss, err := rule.match.miss(ctx, s)
		if err == nil && miss == "" {
			if err = t.end(ctx, rule, s); err == nil {
				return t
			}
		}
		if err != nil {
			miss = "it failed: " + err.Error()
			if failed, ok := errors.AsType[*evalError](err); ok {
				miss += ": " + failed.cause.Error()
			}
		}
		t.Missed = append(t.Missed, Miss{rule.Name, miss})
	}
	return t
}

// end notes the rule that answers, and what it says. Its error is why it does not.
func (t *Trial) end(ctx context.Context, answers *Rule, s *subject) (err error) {
	mayAnswer := answers.mayAnswer(s)
	if mayAnswer {
		if t.Replies, err = answers.all(ctx, s.msg); err != nil {
			return err
		}
	}
	t.Rule, t.File, t.Line = answers.Name, answers.File, answers.Line
	t.Unread = !mayAnswer && (len(answers.replies) > 0 || answers.Forward != nil)
	if answers.Forward != nil {
		t.Forward = answers.Forward.To
	}
	return nil
}

// all makes all replies of which a rule says one. Where they fail, the rule may fail.
func (a *action) all(ctx context.Context, msg *wechatv1.Message) ([]*wechatv1.Reply, error) {
	var all []*wechatv1.Reply
	for _, m := range a.replies {
		reply, err := m.make(ctx, msg)
		if err != nil {
			return nil, err
		}
		shown, _ := reply.Shown(msg)
		all = append(all, shown)
	}
	return all, nil
}

// says tells whether the trial may end with a reply; nil: with silence.
func (t *Trial) says(want *wechatv1.Reply) bool {
	if t.Forward != "" {
		return false
	}
	for _, reply := range t.Replies {
		if proto.Equal(reply, want) {
			return true
		}
	}
	return want == nil && len(t.Replies) == 0
}
