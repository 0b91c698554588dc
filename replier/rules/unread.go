package rules

import (
	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// mayAnswer reports whether the rule's answer to a message is sent. If the user would not see the answer to an event, or the
// event is sent every few seconds (platform.md C.13), only a rule that names the event may answer: no source is sure about all
// events. A user who has unfollowed the account gets no answer.
func (r *Rule) mayAnswer(s *matchInput) bool {
	if !s.isEvent {
		return true
	}
	reply := wechatv1.EventReplyOf(s.event)
	return reply.IsAnswerable() || reply != wechatv1.ReplyInvalid && len(r.match.events) > 0
}

// warnUnread warns of a reply to an event that the user does not see, or sees every few seconds. n is the rule.
func (l *fileLoader) warnUnread(n *yaml.Node) {
	m := configfile.FindKey(n, "match")
	if m == nil || configfile.FindKey(m, "event") == nil || len(replyNodes(n)) == 0 {
		return
	}
	for _, name := range nodesOf(configfile.FindKey(m, "event")) {
		switch wechatv1.EventReplyOf(name.Value) {
		case wechatv1.ReplyInvalid:
			l.Warn(name, "the user has unfollowed the account when %s is sent, and gets no reply; expected silent: true, or a forward to a bot that only records the event", name.Value)
		case wechatv1.ReplyHidden:
			l.Warn(name, "WeChat does not show a reply to %s; expected silent: true, or a forward to a bot that only records the event", name.Value)
		case wechatv1.ReplyFrequent:
			l.Warn(name, "WeChat sends %s every few seconds while the user is in the chat, and shows the reply each time; expected silent: true, or a forward to a bot that only records the event", name.Value)
		}
	}
}
