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

// What is allowed in a rules file and probably not meant. Each warning says how to write it instead.

// nodesOf returns the nodes of one text, or of a list of them.
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
func (l *loader) warnTypes(n *yaml.Node) {
	for _, item := range nodesOf(n) {
		l.warnUnknown(item, "type", knownTypes, "event", wechatv1.EventNames())
	}
}

// warnEvents warns of events that are unknown.
func (l *loader) warnEvents(n *yaml.Node) {
	for _, item := range nodesOf(n) {
		l.warnUnknown(item, "event", wechatv1.EventNames(), "type", knownTypes)
	}
}

// warnUnknown warns of a name that is not known for a key, and suggests one that is, or the other key that knows it.
func (l *loader) warnUnknown(n *yaml.Node, key string, known []string, otherKey string, others []string) {
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
	l.Warn(n, "%s: %q is not one that WeChat is known to send%s", key, n.Value, suggestion)
}

// fullWidthComma is a comma that separates nothing in YAML.
var fullWidthComma = regexp.MustCompile(`[，、]`)

// wordUse is what a text of a rule is compared with, and how.
type wordUse struct{ isKey, isWhole, isPrefix, folded bool }

// warnWords warns of a text with which messages or keys of events are compared, or of a list of such.
func (l *loader) warnWords(n *yaml.Node, use wordUse) {
	inList := n.Kind == yaml.SequenceNode && n.Style&yaml.FlowStyle != 0
	for _, item := range nodesOf(n) {
		word := item.Value
		trimmed := strings.TrimSpace(word)
		switch {
		case !configfile.IsScalar(item):
		case inList && item.Style == 0 && fullWidthComma.MatchString(word):
			l.Warn(item, "%q is one word; expected commas (,) with a blank behind between words, or quotes around it", word)
		case use.isKey && (use.isWhole || trimmed == "") && trimmed != word:
			l.Warn(item, "the key %q begins or ends with a blank, and then a button's hardly is it; expected %q", word, trimmed)
		case use.isPrefix && use.folded && strings.TrimLeftFunc(word, unicode.IsSpace) != word:
			l.Warn(item, "the prefix %q begins with a blank, and never matches: fold: true ignores blanks at the begin of a message", word)
		case use.isWhole && !use.folded && trimmed != word:
			l.Warn(item, "%q begins or ends with a blank, which users hardly send; expected %q, or fold: true", word, trimmed)
		}
		l.WarnComment(item)
	}
}

// warnFailing warns of expressions of a template that say the same of every message: that they fail.
func (l *loader) warnFailing(n *yaml.Node, t template) {
	for _, p := range t {
		if _, err := constantValue(p.source, p.program); err != nil {
			l.WarnInside(n, p.offset, "the expression fails on every message (%v), so the rule never answers", err)
		}
	}
}

// warnCondition warns of a condition that holds for no message.
func (l *loader) warnCondition(n *yaml.Node, c *condition) {
	switch holds, err := constantValue(c.source, c.program); {
	case err != nil:
		l.Warn(n, "when: fails on every message (%v), so the rule never answers; expected a condition of the message", err)
	case holds == false:
		l.Warn(n, "when: is false for every message, so the rule never answers; expected a condition of the message")
	}
}

// maxShown is how long a text is that WeChat shows whole, in bytes (platform.md D).
const maxShown = 2048

// warnLength warns of a text reply that does not change and is longer than WeChat shows.
func (l *loader) warnLength(n *yaml.Node, text string) {
	if len(text) > maxShown {
		l.Warn(n, "the text has %d bytes; WeChat shows %d, some %d Chinese characters, and the rest is cut", len(text), maxShown, maxShown/3)
	}
}

// replyNodes returns what a rule may say: the nodes of its reply, or of its random ones or its bot's fallback.
func replyNodes(n *yaml.Node) []*yaml.Node {
	var replies []*yaml.Node
	if reply := configfile.Find(n, "reply"); reply != nil {
		replies = append(replies, reply)
	}
	if random := configfile.Find(n, "random"); random != nil && random.Kind == yaml.SequenceNode {
		replies = append(replies, random.Content...)
	}
	if bot := configfile.Find(n, "forward"); bot != nil {
		if fallback := configfile.Find(bot, "fallback"); fallback != nil && !configfile.IsScalar(fallback) {
			replies = append(replies, fallback)
		}
	}
	return replies
}

// warnArticles warns of articles that WeChat does not show; n is the rule, which is for what m matches.
func (l *loader) warnArticles(n *yaml.Node, m *match) {
	types, _ := m.kinds()
	answersMessages := len(types) == 0 || slices.ContainsFunc(types, func(name string) bool { return name != "event" })
	for _, reply := range replyNodes(n) {
		news := configfile.Find(reply, "news")
		if news == nil {
			continue
		}
		articles := configfile.Find(news, "articles")
		if articles == nil || articles.Kind != yaml.SequenceNode {
			continue
		}
		switch count := len(articles.Content); {
		case count > 1 && answersMessages:
			l.Warn(articles.Content[1], "%d articles; in the answer to a message that is not an event WeChat shows the first, and the others are left out", count)
		case count > wechatv1.MaxArticles:
			l.Warn(articles.Content[wechatv1.MaxArticles], "%d articles; in the answer to an event WeChat shows the first %d, and the others are left out",
				count, wechatv1.MaxArticles)
		}
	}
}
