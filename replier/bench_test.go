package replier

import (
	"testing"

	wechatv1 "wxgate/proto/wechat/v1"
)

// BenchmarkReply decides on one message with the built-in rules.
func BenchmarkReply(b *testing.B) {
	rules, err := LoadRules("")
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name, rule string
		msg        *wechatv1.Message
	}{
		{"echo", "echo", text("Big brother muyao nb")},
		{"constant", "picture", image()},
		{"no match", "", event("unsubscribe", "")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := rules.decide(b.Context(), bb.msg, nil); ruleName(d) != bb.rule {
					b.Fatalf("rule %q answered, want %q", ruleName(d), bb.rule)
				}
			}
		})
	}
}

// ruleName returns the name of the rule that answered; "" where none did.
func ruleName(d decision) string {
	if d.rule == nil {
		return ""
	}
	return d.rule.name
}
