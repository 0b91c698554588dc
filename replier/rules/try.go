package rules

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Trial is the result of trying the rules on a message.
type Trial struct {
	Rule    string            // the rule that answers; "": none does
	File    string            // the file of the rule
	Line    int               // the line of the rule, from 1
	Forward string            // the bot that would be asked; it is not asked
	Replies []*wechatv1.Reply // the rule sends one of them; none: it is silent
	Unread  bool              // the answer is not sent, because the user would not read it
	Missed  []Miss            // the rules before it, in order
}

// Miss is why a rule does not answer a message.
type Miss struct{ Rule, Why string }

// Try returns the rule that answers a message, its replies, and why the rules before it do not answer. It asks no bot.
func (r *Rules) Try(ctx context.Context, msg *wechatv1.Message) Trial {
	s := newMatchInput(msg)
	var t Trial
	for i := range r.list {
		rule := &r.list[i]
		reason, err := rule.match.mismatchReason(ctx, s)
		if err == nil && reason == "" {
			if err = t.noteAnswer(ctx, rule, s); err == nil {
				return t
			}
		}
		if err != nil {
			reason = "it failed: " + err.Error()
			if failed, ok := errors.AsType[*evalError](err); ok {
				reason += ": " + failed.cause.Error()
			}
		}
		t.Missed = append(t.Missed, Miss{rule.Name, reason})
	}
	return t
}

// noteAnswer sets the rule that answers and its replies. The error says why the rule cannot answer.
func (t *Trial) noteAnswer(ctx context.Context, rule *Rule, s *matchInput) (err error) {
	mayAnswer := rule.mayAnswer(s)
	if mayAnswer {
		if t.Replies, err = rule.makeAllReplies(ctx, s.msg); err != nil {
			return err
		}
	}
	t.Rule, t.File, t.Line = rule.Name, rule.File, rule.Line
	t.Unread = !mayAnswer && (len(rule.replies) > 0 || rule.Forward != nil)
	if rule.Forward != nil {
		t.Forward = rule.Forward.To
	}
	return nil
}

// makeAllReplies makes each of the replies, of which a rule sends one. It fails if one of them fails.
func (a *ruleAction) makeAllReplies(ctx context.Context, msg *wechatv1.Message) ([]*wechatv1.Reply, error) {
	var all []*wechatv1.Reply
	for _, makeReply := range a.replies {
		reply, err := makeReply.makeChecked(ctx, msg)
		if err != nil {
			return nil, err
		}
		shown, _ := reply.WithoutSurplus(msg)
		all = append(all, shown)
	}
	return all, nil
}

// mayReply reports whether want is one of the possible replies. If want is nil, it reports whether the rules are silent.
func (t *Trial) mayReply(want *wechatv1.Reply) bool {
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
