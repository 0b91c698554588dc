package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsWarnings: text that is allowed but probably a mistake gets a warning, with its position and how to write it instead.
func TestFindingsWarnings(t *testing.T) {
	const breaks = `\n is two characters here, and the user reads them; expected double quotes around the text ("one\ntwo"), or a block (|-) with a line for each`
	const unknown = "WeChat is not known to send "
	const blank = " begins or ends with a space, "
	for _, tt := range []struct {
		name, rule string   // the rule: the text after "  - "
		want       []string // column: text
	}{
		{"a good rule", `{match: {type: [text, MiniProgramPage], when: message.msg_id > 0}, reply: {text: "one\ntwo"}}`, nil},
		{"a backslash", `{reply: {text: one\ntwo}}`, []string{"23: " + breaks}},
		{"a backslash in single quotes", `{reply: {text: 'one\ntwo'}}`, []string{"24: " + breaks}},
		{"a backslash behind an expression", `{reply: {text: '{{ message.msg_id }}\n'}}`, []string{"41: " + breaks}},
		{"a backslash in an expression", `{reply: {text: '{{ "a\n" }}'}}`, nil},
		{"a backslash in a title", `{match: {type: event}, reply: {news: {articles: [{title: 'a\nb'}]}}}`, []string{"64: " + breaks}},
		{"a backslash in a text meanwhile", `{forward: {to: "dns:///bot:9001", slow: {push: 'a\nb'}}}`, []string{"54: " + breaks}},
		{"two articles for a text", `{match: {text: a}, reply: {news: {articles: [{title: a}, {title: b}]}}}`, []string{
			"62: 2 articles; in the reply to a message that is not an event, WeChat shows only the first"}},
		{"eight articles for an event", `{match: {event: CLICK}, reply: {news: {articles: [` + strings.Repeat("{title: a},", 8) + `]}}}`, nil},
		{"nine articles for a key", `{match: {event_key: a}, random: [{news: {articles: [` + strings.Repeat("{title: a},", 9) + `]}}]}`, []string{
			"145: 9 articles; in the reply to an event, WeChat shows only the first 8"}},
		{"a key that ends in a blank", `{match: {event_key: ["HELP ", B]}, silent: true}`, []string{
			`26: the key "HELP "` + blank + `which the keys of buttons rarely do; expected "HELP"`}},
		{"a word that ends in a blank", `{match: {text: "help "}, silent: true}`, []string{`20: "help "` + blank + `which users rarely send; expected "help", or fold: true`}},
		{"the same folded", `{match: {text: "help ", fold: true}, silent: true}`, nil},
		{"parts with blanks", `{match: {text: {prefix: "ask ", contains: " a "}}, silent: true}`, nil},
		{"a prefix that folding makes impossible", `{match: {text: {prefix: [" ", a]}, fold: true}, silent: true}`, []string{
			`30: the prefix " " begins with a space and never matches: fold: true ignores spaces at the start of a message`}},
		{"a misspelt event", `{match: {event: CLIK}, silent: true}`, []string{`21: event: ` + unknown + `"CLIK"; did you mean "CLICK"?`}},
		{"misspelt events", `{match: {event: [subscribed, click, unsubscribes]}, silent: true}`, []string{
			`22: event: ` + unknown + `"subscribed"; did you mean "subscribe"?`, `41: event: ` + unknown + `"unsubscribes"; did you mean "unsubscribe"?`}},
		{"an unknown event", `{match: {event: from_tomorrow}, silent: true}`, []string{`21: event: ` + unknown + `"from_tomorrow"; the rule may never match`}},
		{"a type as an event", `{match: {event: voice}, silent: true}`, []string{`21: event: ` + unknown + `"voice"; did you mean type: voice?`}},
		{"misspelt types", `{match: {type: [txt, pic]}, silent: true}`, []string{
			`21: type: ` + unknown + `"txt"; did you mean "text"?`, `26: type: ` + unknown + `"pic"; the rule may never match`}},
		{"an event as a type", `{match: {type: click}, silent: true}`, []string{`20: type: ` + unknown + `"click"; did you mean event: click?`}},
		{"a handler", `{forward: handler:x}`, []string{`15: the wxgate command has no handler "x": only a Go program with this handler can start with this file`}},
		{"a condition that fails", `{match: {when: '1/0 == 1'}, silent: true}`, []string{
			"20: when: fails on every message (division by zero), so the rule never answers; expected a condition on the message"}},
		{"another", `{match: {when: '[][0] == 1'}, silent: true}`, []string{
			"20: when: fails on every message (index out of bounds: 0), so the rule never answers; expected a condition on the message"}},
		{"a condition that never holds", `{match: {when: '1 > 2'}, silent: true}`, []string{
			"20: when: is false for every message, so the rule never answers; expected a condition on the message"}},
		{"a text that fails", `{reply: {text: 'a {{ 1/0 }}'}}`, []string{"25: the expression fails on every message (division by zero), so the rule never answers"}},
		{"full-width commas", `{match: {text: [a，b, c、d, "e，f"]}, silent: true}`, []string{
			`21: "a，b" is one word; expected a comma and a space (, ) between words, or quotes around it`,
			`26: "c、d" is one word; expected a comma and a space (, ) between words, or quotes around it`}},
		{"a full-width comma in a text", `{match: {text: 你好，在吗}, silent: true}`, nil},
		{"a comment in a reply", "match: {text: a}\n    reply:\n      text: 价格 #5", []string{`13: "价格" ends before #5, which YAML takes for a comment; put quotes around the text if it is a part of it`}},
		{"a comment that is one", "match: {text: a}\n    reply:\n      text: 价格 # 5", nil},
		{"a comment in a word", "match:\n      text: order #5\n    silent: true", []string{`13: "order" ends before #5, which YAML takes for a comment; put quotes around the text if it is a part of it`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := Parse("f", []byte("rules:\n  - "+tt.rule+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range rules.Warnings() {
				if !strings.Contains(w.In, "rule ") || w.Line < 2 {
					t.Errorf("no place: %v", w)
				}
				got = append(got, fmt.Sprintf("%d: %s", w.Column, w.Text))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFindingsLongTextsAreWarnings: a text that WeChat cuts off gets a warning.
func TestFindingsLongTextsAreWarnings(t *testing.T) {
	for size, warned := range map[int]int{maxShown: 0, maxShown + 1: 1, 9000: 1} {
		rules := parseRules(t, "rules:\n  - {name: a, reply: {text: "+strings.Repeat("a", size)+"}}\n")
		if rules.WarningCount() != warned {
			t.Errorf("%d bytes: warnings %v, want %d", size, rules.Warnings(), warned)
		}
	}
}
