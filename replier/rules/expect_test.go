package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// tried are the rules of the tests of expectations and trials.
const tried = `
rules:
  - name: greeting
    match: {text: hi}
    random: [{text: hello}, {text: "hello {{ message.account }}"}]
  - name: bot
    match: {text: {prefix: "ask "}, account: shop}
    forward: {to: dns:///bot:9001, fallback: {text: later}}
  - name: number
    match: {text: {prefix: "1"}}
    reply: {text: "{{ int(message.text.content) + 1 }}"}
  - name: menu
    match: {event: CLICK, event_key: help}
    silent: true
  - name: morning
    match: {type: text, time: {to: "12:00"}, when: message.text.content == "time" }
    reply: {text: good morning}
`

// TestExpectations: an expectation that is not met is reported with its position and the actual answer.
func TestExpectations(t *testing.T) {
	for _, tt := range []struct{ expect, want string }{
		{`{message: hi, rule: greeting}`, ""},
		{`{message: hi, reply: {text: hello}}`, ""},
		{`{message: {account: a, text: {content: hi}}, reply: {text: hello a}}`, ""},
		{`{message: hi, rule: bot}`, `expected rule "bot", got {"text":{"content":"hello"}} or {"text":{"content":"hello "}} from rule "greeting" (line 3)`},
		{`{message: hi, reply: {text: Hello}}`, `expected {"text":{"content":"Hello"}}, got {"text":{"content":"hello"}} or {"text":{"content":"hello "}} from rule "greeting" (line 3)`},
		{`{message: hi, reply: {image: {media_id: hello}}}`, `expected {"image":{"media_id":"hello"}}, got {"text":{"content":"hello"}} or {"text":{"content":"hello "}} from rule "greeting" (line 3)`},
		{`{message: hi, silent: true}`, `expected no reply, got {"text":{"content":"hello"}} or {"text":{"content":"hello "}} from rule "greeting" (line 3)`},
		{`{message: hi, forward: "dns:///bot:9001"}`, `expected a forward to dns:///bot:9001, got {"text":{"content":"hello"}} or {"text":{"content":"hello "}} from rule "greeting" (line 3)`},

		{`{message: {account: shop, text: {content: ask me}}, rule: bot, forward: "dns:///bot:9001"}`, ""},
		{`{message: {account: shop, text: {content: ask me}}, forward: "dns:///bot:9002"}`, `expected a forward to dns:///bot:9002, got a forward to dns:///bot:9001 from rule "bot" (line 6)`},
		{`{message: {account: shop, text: {content: ask me}}, reply: {text: later}}`, `expected {"text":{"content":"later"}}, got a forward to dns:///bot:9001 from rule "bot" (line 6)`},
		{`{message: {account: shop, text: {content: ask me}}, silent: true}`, `expected no reply, got a forward to dns:///bot:9001 from rule "bot" (line 6)`},
		{`{message: ask me, silent: true}`, ""},
		{`{message: ask me, rule: bot}`, `expected rule "bot", got no rule`},
		{`{message: ask me, reply: {text: later}}`, `expected {"text":{"content":"later"}}, got no rule`},

		{`{message: 12, reply: {text: 13}}`, ""},
		{`{message: 1x, rule: number}`, `expected rule "number", got no rule`},
		{`{message: 1x, reply: {text: "{{ int(message.text.content) }}"}}`, "the expected reply: an expression of its reply failed on this message"},
		{`{message: {event: {event: CLICK, event_key: help}}, rule: menu, silent: true}`, ""},
		{`{message: {event: {event: CLICK, event_key: help}}, reply: {text: help}}`, `expected {"text":{"content":"help"}}, got no reply from rule "menu" (line 12)`},
		{`{message: time, at: 2026-01-31T11:59:59+08:00, reply: {text: good morning}}`, ""},
		{`{message: time, at: 2026-01-31T12:00:00+08:00, reply: {text: good morning}}`, `expected {"text":{"content":"good morning"}}, got no rule`},
		{`{message: time, at: 2026-01-31T04:00:00Z, rule: morning}`, `expected rule "morning", got no rule`},
		{`{message: {create_time: 1769832000, text: {content: time}}, rule: morning}`, `expected rule "morning", got no rule`},
	} {
		t.Run(tt.expect, func(t *testing.T) {
			rules := parseRules(t, tried+"expect:\n  - {message: hi, rule: greeting}\n  - "+tt.expect+"\n")
			got := ""
			if unmet := rules.Check(t.Context()); unmet != nil {
				got = unmet.Error()
			}
			want := tt.want
			if want != "" {
				want = "rules.yaml:20:5: expect: " + want
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if n := rules.ExpectationCount(); n != 2 {
				t.Errorf("%d expectations, want 2", n)
			}
		})
	}
}

// TestExpectationsAllAtOnce: all unmet expectations are reported, in the order of the file.
func TestExpectationsAllAtOnce(t *testing.T) {
	rules := parseRules(t, tried+"expect:\n  - {message: hi, rule: a}\n  - {message: hi, rule: greeting}\n  - {message: x, rule: b}\n")
	var got []int
	for _, p := range rules.Check(t.Context()) {
		got = append(got, p.Line)
	}
	if diff := cmp.Diff([]int{19, 21}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// TestTry: a trial names the rule that answers, its replies, and why the rules before it do not answer.
func TestTry(t *testing.T) {
	greetings := []*wechatv1.Reply{says("hello"), says("hello shop")}
	afternoon := text("time")
	afternoon.CreateTime = 1769832000 // 12:00 in Shanghai
	for _, tt := range []struct {
		name string
		msg  *wechatv1.Message
		want Trial
	}{
		{"random", text("hi"), Trial{Rule: "greeting", File: "rules.yaml", Line: 3, Replies: greetings}},
		{"forward", text("ask me"), Trial{Rule: "bot", File: "rules.yaml", Line: 6, Forward: "dns:///bot:9001", Missed: []Miss{{"greeting", otherText}}}},
		{"reply", text("12"), Trial{Rule: "number", File: "rules.yaml", Line: 9, Replies: []*wechatv1.Reply{says("13")}, Missed: []Miss{{"greeting", otherText}, {"bot", otherText}}}},
		{"silent", event("click", "help"), Trial{Rule: "menu", File: "rules.yaml", Line: 12, Missed: []Miss{{"greeting", otherType}, {"bot", otherType}, {"number", otherType}}}},
		{"none", of("bar", event("CLICK", "other")), Trial{Missed: []Miss{{"greeting", otherType}, {"bot", otherAccount}, {"number", otherType}, {"menu", otherKey}, {"morning", otherType}}}},
		{"none, of another event", event("VIEW", "help"), Trial{Missed: []Miss{{"greeting", otherType}, {"bot", otherType}, {"number", otherType}, {"menu", otherEvent}, {"morning", otherType}}}},
		{"none, at another time", afternoon, Trial{Missed: []Miss{{"greeting", otherText}, {"bot", otherText}, {"number", otherText}, {"menu", otherEvent}, {"morning", otherTime}}}},
		{"none, for one fails", sent("2026-01-31T11:00:00+08:00", text("1x")), Trial{Missed: []Miss{
			{"greeting", otherText}, {"bot", otherText}, {"number", "it failed: an expression of its reply failed on this message: type conversion error from 'string' to 'int'"}, {"menu", otherEvent}, {"morning", notWhen}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parseRules(t, tried).Try(t.Context(), tt.msg)
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("trial (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFindingsExpectedMessages: a problem in the message of an expectation has its position in the file, not in the JSON made from
// it.
func TestFindingsExpectedMessages(t *testing.T) {
	for message, want := range map[string]string{
		"{text: hi}":                   "f:4:22: expect: expected a mapping with fields of wechat.v1.Text, such as {content: …}; MESSAGES.md lists them",
		"{text: {contents: hi}}":       `f:4:23: expect: unknown field "contents" of wechat.v1.Text; did you mean "content"?; MESSAGES.md lists them`,
		"{event: {event: SCAN}, a: 1}": `f:4:38: expect: unknown field "a" of wechat.v1.Message; MESSAGES.md lists them`,
		"[hi]":                         "f:4:15: expect: expected a mapping with fields of wechat.v1.Message, such as {account: …}; MESSAGES.md lists them",
	} {
		_, err := Parse("f", []byte("rules:\n  - {name: a, silent: true}\nexpect:\n  - {message: "+message+", rule: a}\n"))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", message, err, want)
		}
	}
}
