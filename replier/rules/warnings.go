package rules

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Warnings report text that is allowed in a rules file but probably a mistake. Each one says how to write it instead.

// nodesOf returns the nodes of a text or of a list of texts.
func nodesOf(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// knownTypes are the MsgTypes that WeChat is known to send.
var knownTypes = func() []string {
	var names []string
	arms := (&wechatv1.Message{}).ProtoReflect().Descriptor().Oneofs().ByName("content").Fields()
	for i := range arms.Len() {
		if name := string(arms.Get(i).Name()); name != "unknown" {
			names = append(names, name)
		}
	}
	return names
}()

// warnTypes warns of MsgTypes that are unknown.
func (l *fileLoader) warnTypes(n *yaml.Node) {
	for _, item := range nodesOf(n) {
		l.warnUnknown(item, "type", knownTypes, "event", wechatv1.EventNames())
	}
}

// warnEvents warns of events that are unknown.
func (l *fileLoader) warnEvents(n *yaml.Node) {
	for _, item := range nodesOf(n) {
		l.warnUnknown(item, "event", wechatv1.EventNames(), "type", knownTypes)
	}
}

// warnUnknown warns of a name that is not among the known ones of a key. It suggests a similar name, or the other key if the name
// is one of that key.
func (l *fileLoader) warnUnknown(n *yaml.Node, key string, known []string, otherKey string, others []string) {
	same := func(name string) bool { return strings.EqualFold(name, n.Value) }
	if !configfile.IsScalar(n) || n.Value == "" || slices.ContainsFunc(known, same) {
		return
	}
	suggestion := configfile.DidYouMean(n.Value, known)
	if slices.ContainsFunc(others, same) {
		suggestion = "; did you mean " + otherKey + ": " + n.Value + "?"
	}
	if suggestion == "" {
		suggestion = "; the rule may never match"
	}
	l.Warn(n, "%s: WeChat is not known to send %q%s", key, n.Value, suggestion)
}

// fullWidthComma matches Chinese commas, which do not separate items in YAML.
var fullWidthComma = regexp.MustCompile(`[，、]`)

// wordUse says how a text of a rule is compared, and with which part of a message.
type wordUse struct{ isKey, isWhole, isPrefix, folded bool }

// warnWords warns of texts that messages or event keys are compared with, if they probably never match.
func (l *fileLoader) warnWords(n *yaml.Node, use wordUse) {
	inList := n.Kind == yaml.SequenceNode && n.Style&yaml.FlowStyle != 0
	for _, item := range nodesOf(n) {
		word := item.Value
		trimmed := strings.TrimSpace(word)
		switch {
		case !configfile.IsScalar(item):
		case inList && item.Style == 0 && fullWidthComma.MatchString(word):
			l.Warn(item, "%q is one word; expected a comma and a space (, ) between words, or quotes around it", word)
		case use.isKey && (use.isWhole || trimmed == "") && trimmed != word:
			l.Warn(item, "the key %q begins or ends with a space, which the keys of buttons rarely do; expected %q", word, trimmed)
		case use.isPrefix && use.folded && strings.TrimLeftFunc(word, unicode.IsSpace) != word:
			l.Warn(item, "the prefix %q begins with a space and never matches: fold: true ignores spaces at the start of a message", word)
		case use.isWhole && !use.folded && trimmed != word:
			l.Warn(item, "%q begins or ends with a space, which users rarely send; expected %q, or fold: true", word, trimmed)
		}
		l.WarnComment(item)
	}
}

// warnFailing warns of expressions in a template that fail on every message.
func (l *fileLoader) warnFailing(n *yaml.Node, t textTemplate) {
	for _, p := range t {
		if _, err := constantValue(p.source, p.program); err != nil {
			l.WarnInside(n, p.offset, "the expression fails on every message (%v), so the rule never answers", err)
		}
	}
}

// warnCondition warns of a condition that is false or fails for every message.
func (l *fileLoader) warnCondition(n *yaml.Node, c *celCondition) {
	switch holds, err := constantValue(c.source, c.program); {
	case err != nil:
		l.Warn(n, "when: fails on every message (%v), so the rule never answers; expected a condition on the message", err)
	case holds == false:
		l.Warn(n, "when: is false for every message, so the rule never answers; expected a condition on the message")
	}
}

// maxShown is the length of the longest text that WeChat shows completely, in bytes (platform.md D).
const maxShown = 2048

// warnLength warns of a constant text reply that is longer than WeChat shows.
func (l *fileLoader) warnLength(n *yaml.Node, text string) {
	if len(text) > maxShown {
		l.Warn(n, "the text has %d bytes; WeChat shows %d, about %d Chinese characters, and cuts off the rest", len(text), maxShown, maxShown/3)
	}
}

// replyNodes returns the nodes of all replies in a rule: of reply:, random: and the fallback of a bot.
func replyNodes(n *yaml.Node) []*yaml.Node {
	var replies []*yaml.Node
	if reply := configfile.FindKey(n, "reply"); reply != nil {
		replies = append(replies, reply)
	}
	if random := configfile.FindKey(n, "random"); random != nil && random.Kind == yaml.SequenceNode {
		replies = append(replies, random.Content...)
	}
	if bot := configfile.FindKey(n, "forward"); bot != nil {
		if fallback := configfile.FindKey(bot, "fallback"); fallback != nil && !configfile.IsScalar(fallback) {
			replies = append(replies, fallback)
		}
	}
	return replies
}

// warnArticles warns of articles that WeChat does not show. n is the rule, and m its conditions.
func (l *fileLoader) warnArticles(n *yaml.Node, m *ruleMatch) {
	types, _ := m.typesAndEvents()
	answersMessages := len(types) == 0 || slices.ContainsFunc(types, func(name string) bool { return name != "event" })
	for _, reply := range replyNodes(n) {
		news := configfile.FindKey(reply, "news")
		if news == nil {
			continue
		}
		articles := configfile.FindKey(news, "articles")
		if articles == nil || articles.Kind != yaml.SequenceNode {
			continue
		}
		switch count := len(articles.Content); {
		case count > 1 && answersMessages:
			l.Warn(articles.Content[1], "%d articles; in the reply to a message that is not an event, WeChat shows only the first", count)
		case count > wechatv1.MaxArticles:
			l.Warn(articles.Content[wechatv1.MaxArticles], "%d articles; in the reply to an event, WeChat shows only the first %d",
				count, wechatv1.MaxArticles)
		}
	}
}
