package rules

import (
	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// mayAnswer reports whether what the rule says to a message that it matches is sent. To an event that nobody sees answered, or
// that comes all the time (platform.md C.13), that is so only for a rule that names the event: no source is sure of all events.
// Nothing is sent to a user who has left.
func (r *Rule) mayAnswer(s *subject) bool {
	if !s.isEvent {
		return true
	}
	reply := wechatv1.EventReplyOf(s.event)
	return reply.Answerable() || reply != wechatv1.ReplyInvalid && len(r.match.events) > 0
}

// warnUnread warns of a reply to an event that nobody sees answered, or that comes all the time; n is the rule.
func (l *loader) warnUnread(n *yaml.Node) {
	m := configfile.Find(n, "match")
	if m == nil || configfile.Find(m, "event") == nil || len(replyNodes(n)) == 0 {
		return
	}
	for _, name := range nodesOf(configfile.Find(m, "event")) {
		switch wechatv1.EventReplyOf(name.Value) {
		case wechatv1.ReplyInvalid:
			l.Warn(name, "the user has left when %s comes: the reply is not sent; expected silent: true, or a forward to a bot that takes note", name.Value)
		case wechatv1.ReplyHidden:
			l.Warn(name, "WeChat shows nobody a reply to %s; expected silent: true, or a forward to a bot that takes note", name.Value)
		case wechatv1.ReplyFrequent:
			l.Warn(name, "%s comes every few seconds while the user is in the chat, who reads the reply each time; expected silent: true, or a forward to a bot that takes note", name.Value)
		}
	}
}
