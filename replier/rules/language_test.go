package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// answer is a message and its expected reply; "": none.
type answer struct {
	name string
	msg  *wechatv1.Message
	want string
}

// checkAnswers checks the answers of the rules of a file of testdata/good.
func checkAnswers(t *testing.T, file string, answers []answer) {
	t.Helper()
	rules, err := Load("testdata/good/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			var want *wechatv1.Reply
			if tt.want != "" {
				want = says(tt.want)
			}
			if diff := cmp.Diff(want, rules.Decide(t.Context(), tt.msg, noBot).Reply, protocmp.Transform()); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

// of returns the message as another account got it.
func of(account string, msg *wechatv1.Message) *wechatv1.Message {
	msg.Account = account
	return msg
}

// sent returns the message as sent at a time, RFC 3339.
func sent(at string, msg *wechatv1.Message) *wechatv1.Message {
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	msg.CreateTime = when.Unix()
	return msg
}

// TestConditions runs the rules of testdata/good/conditions.yaml.
func TestConditions(t *testing.T) {
	checkAnswers(t, "conditions.yaml", []answer{
		{"account and text", of("bar", text("are you open?")), "one account"},
		{"account of a list", of("baz", text("are you open?")), "two accounts"},
		{"another account", text("are you open?"), ""},
		{"an account's case counts", of("Bar", text("are you open?")), ""},

		{"key with the prefix", event("subscribe", "qrscene_7"), "key prefix"},
		{"key that is the prefix", event("SCAN", "shop:"), "key prefix"},
		{"key with the prefix, another event", event("CLICK", "qrscene_7"), ""},
		{"key with the prefix behind its begin", event("SCAN", "a qrscene_7"), ""},
		{"key, exact", event("CLICK", "help"), "key, exact or prefix"},
		{"key, a number", event("SCAN", "7"), "key, exact or prefix"},
		{"key, longer than exact", event("SCAN", "77"), ""},
		{"key, prefix", event("SCAN", "menu/a"), "key, exact or prefix"},
		{"no key", event("SCAN", ""), ""},
		{"a text that is a key", text("help"), ""},

		{"exact", text("hello"), "exact"},
		{"exact, in capitals", text("Hello"), ""},
		{"exact, with a blank", text("hello "), ""},
		{"exact, of no text", event("hello", "hello"), ""},
		{"one of", text("早"), "one of"},
		{"one of, a number", text("8"), "one of"},
		{"one of, longer", text("你好吗"), ""},
		{"prefix", text("order 12"), "prefix"},
		{"prefix alone", text("order "), "prefix"},
		{"prefix without its blank", text("order"), ""},
		{"prefix behind the begin", text("my order 12"), ""},
		{"contains", text("我要退款吗"), "contains"},
		{"contains, at the begin", text("refund me"), "contains"},
		{"contains, a part of it", text("退 款"), ""},
		{"matches", text("0123"), "matches"},
		{"matches, the second", text("a\nz"), "matches"},
		{"matches, a line of it", text("0123\n"), ""},
		{"the first of two that match", text("order refund"), "prefix"},
		{"one of all: exact", text("e"), "one of all"},
		{"one of all: prefix", text("p-"), "one of all"},
		{"one of all: contains", text("x-c-x"), "one of all"},
		{"one of all: matches", text("m"), "one of all"},
		{"one of all: none", text("ep"), ""},

		{"when", text("length"), "when"},
		{"when it is not", text("lengt"), ""},
		{"when alone", location("23.1", "1", ""), "when alone"},
		{"when alone, it is not", location("22.9", "1", ""), ""},
		{"when it fails", location("north", "1", "广州"), "when alone, for what the one before fails on"},
		{"no message", &wechatv1.Message{}, ""},
	})
}

// TestFold runs the rules of testdata/good/fold.yaml.
func TestFold(t *testing.T) {
	checkAnswers(t, "fold.yaml", []answer{
		{"exact", text("价格"), "exact"},
		{"exact, with blanks", text(" 价格\u3000\n"), "exact"},
		{"exact, a blank inside", text("价 格"), ""},
		{"exact, half width", text("price ?"), "exact"},
		{"exact, full width", text("ＰＲＩＣＥ\u3000？"), "exact"},
		{"exact, wide Katakana", text("カタカナ"), "exact"},
		{"exact, narrow Katakana", text("ｶﾀｶﾅ"), "exact"},
		{"prefix, full width", text("订单：12"), "prefix"},
		{"prefix, half width", text("订单:12"), "prefix"},
		{"prefix, behind a blank", text(" 订单:12"), "prefix"},
		{"contains, half width", text("i am vip7"), "contains"},
		{"contains, full width", text("我是Ｖip"), "contains"},
		{"contains, with blanks", text("not\u3000Ａ test"), "contains"},
		{"contains, blanks at the ends", text(" a "), ""},
		{"matches, as written", text("电话：１２"), "matches"},
		{"matches, half width", text("电话:12"), "matches"},
		{"matches, a full stop is itself", text("．"), "matches"},
		{"matches, a full stop is no wildcard", text("x"), ""},
		{"matches, a hyphen is no range", text("+"), ""},
		{"matches, a hyphen", text("-"), "matches"},
		{"matches, parentheses are themselves", text("(OK)"), "matches"},
		{"matches, without parentheses", text("ok"), ""},
		{"matches, what folds to two letters", text("STRASSE"), "matches"},
		{"not folded", text("Case"), "not folded"},
		{"not folded, another case", text("case"), ""},
		{"not folded, full width", text("ｗide"), "not folded"},
		{"not folded, half width", text("wide"), ""},
		{"not folded, a blank at the begin", text(" x"), "not folded"},
		{"nothing", text(""), ""},
		{"blanks", text(" \u3000"), ""},
	})
}

// TestTimes runs the rules of testdata/good/times.yaml. The 30th of January 2026 is a Friday.
func TestTimes(t *testing.T) {
	at := func(content, when, want string) answer {
		return answer{content + " " + when, sent(when, text(content)), want}
	}
	checkAnswers(t, "times.yaml", []answer{
		at("a", "2026-01-30T11:59:59+08:00", "day"),
		at("a", "2026-01-30T12:00:00+08:00", "lunch"),
		at("a", "2026-01-30T13:29:59+08:00", "lunch"),
		at("a", "2026-01-30T13:30:00+08:00", "day"),
		at("a", "2026-01-30T04:00:00Z", "lunch"),
		at("a", "2026-01-31T12:00:00+08:00", "weekend"),
		// Over midnight: the morning after belongs to the evening.
		at("a", "2026-01-30T00:00:00+08:00", "day"),
		at("a", "2026-01-30T21:59:59+08:00", "day"),
		at("a", "2026-01-30T22:00:00+08:00", "night"),
		at("a", "2026-01-31T05:59:59+08:00", "night"),
		at("a", "2026-01-31T06:00:00+08:00", "weekend"),
		at("a", "2026-02-01T05:59:59+08:00", "night"),
		at("a", "2026-02-01T22:00:00+08:00", "weekend"),
		at("a", "2026-02-02T05:59:59+08:00", "day"),
		// Several spans, one to the end of a day.
		at("a", "2026-02-02T08:59:59+08:00", "day"),
		at("a", "2026-02-02T09:00:59+08:00", "two spans"),
		at("a", "2026-02-02T09:01:00+08:00", "day"),
		at("a", "2026-02-02T23:59:59Z", "two spans"),
		at("a", "2026-02-03T00:00:00Z", "day"),
		// Clocks go forward: there is no 02:30. They go back: there are two.
		at("b", "2026-03-29T01:29:59+01:00", "wrapped days"),
		at("b", "2026-03-29T01:59:59+01:00", "around it"),
		at("b", "2026-03-29T02:00:00+01:00", "around it"),
		at("b", "2026-03-29T03:29:59+02:00", "around it"),
		at("b", "2026-03-29T03:30:00+02:00", "wrapped days"),
		at("b", "2026-10-25T02:30:00+02:00", "spring forward"),
		at("b", "2026-10-25T02:30:00+01:00", "spring forward"),
		at("b", "2026-10-25T03:00:00+01:00", "around it"),
		// Days that wrap around the week's end, when it is still Friday and no longer Monday.
		at("b", "2026-01-31T04:59:59Z", ""),
		at("b", "2026-01-31T05:00:00Z", "wrapped days"),
		at("b", "2026-02-03T04:59:59Z", "wrapped days"),
		at("b", "2026-02-03T05:00:00Z", ""),
		{"no time is now", &wechatv1.Message{MsgType: "text", Content: text("c").GetContent()}, ""},
	})
}

// TestInclude runs the rules of testdata/good/include.yaml: in the order of the files.
func TestInclude(t *testing.T) {
	checkAnswers(t, "include.yaml", []answer{
		{"before the file", text("ONE"), "before"},
		{"of the file, where fold is not set", text("two"), "first"},
		{"not of the file, for fold is not set there", text("TWO"), "behind"},
		{"of the file's file", text("three"), "second"},
		{"behind the file's file", text("FOUR"), "first again"},
		{"behind the file", text("four"), "behind"},
		{"default", text("five"), "default"},
		{"default, an event", event("CLICK", ""), "default"},
		{"the file's own time zone", sent("2026-01-30T16:30:00Z", text("time")), "midnight"},
		{"not the main file's", sent("2026-01-30T00:30:00Z", text("time")), "another time"},
	})
	rules, err := Load("testdata/good/include.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rules.list {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"before", "first", "second", "first again", "behind", "#6", "#7", "default"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if rules.RuleCount() != 7 || rules.ExpectationCount() != 1 || rules.Check(t.Context()) != nil {
		t.Errorf("%d rules, %d expectations, unmet: %v; want 7, 1 and none", rules.RuleCount(), rules.ExpectationCount(), rules.Check(t.Context()))
	}
}

// TestRandom: each of the replies is sent, and no other. If one fails, the rule counts as not matched.
func TestRandom(t *testing.T) {
	rules := parseRules(t, `
rules:
  - name: random
    match: {type: [text, image]}
    random: [{text: "{{ int(message.text.content) }}"}, {text: b}, {image: {media_id: c}}]
default: {random: [{text: d}, {text: e}]}
`)
	for _, tt := range []struct {
		name string
		msg  *wechatv1.Message
		want []string
	}{
		{"all of it", text("7"), []string{`text:{content:"7"}`, `text:{content:"b"}`, `image:{media_id:"c"}`}},
		{"one fails", text("seven"), []string{`text:{content:"d"}`, `text:{content:"e"}`, `text:{content:"b"}`, `image:{media_id:"c"}`}},
		{"default", event("CLICK", ""), []string{`text:{content:"d"}`, `text:{content:"e"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]bool{}
			for range 200 { // the chance that one of six is never said is smaller than 10⁻¹⁵
				got[strings.Join(strings.Fields(rules.Decide(t.Context(), tt.msg, noBot).Reply.String()), " ")] = true
			}
			want := map[string]bool{}
			for _, reply := range tt.want {
				want[reply] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("replies (-want +got):\n%s", diff)
			}
		})
	}
}
