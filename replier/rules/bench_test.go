package rules

import (
	"fmt"
	"strings"
	"testing"

	wechatv1 "wxgate/proto/wechat/v1"
)

// BenchmarkReply decides on one message with the built-in rules.
func BenchmarkReply(b *testing.B) {
	rules, err := Load("")
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
				if d := rules.Decide(b.Context(), bb.msg, nil); ruleName(d) != bb.rule {
					b.Fatalf("rule %q answered, want %q", ruleName(d), bb.rule)
				}
			}
		})
	}
}

// ruleName returns the name of the rule that answered; "" if none did.
func ruleName(d Decision) string {
	if d.Rule == nil {
		return ""
	}
	return d.Rule.Name
}

// manyRules is a rules file with count rules of all kinds that are looked up, each with a word of its own.
func manyRules(count int) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range count {
		match := [...]string{
			"{text: %s}", "{text: {prefix: %s}}", "{text: {contains: %s}}", "{event: CLICK, event_key: %s}", "{text: {contains: ＡＢＣ%s}, fold: true}",
		}[i%5]
		fmt.Fprintf(&b, "  - {name: r%d, match: "+match+", reply: {text: answer}}\n", i, word(i))
	}
	return b.String()
}

// word is a word for each number, of one length for all.
func word(i int) string {
	digits := []rune("甲乙丙丁戊己庚辛壬癸")
	var b strings.Builder
	for range 6 {
		b.WriteRune(digits[i%10])
		i /= 10
	}
	return b.String()
}

// BenchmarkRules finds the rule for a message, and answers, with few and with many rules: it should take the same.
func BenchmarkRules(b *testing.B) {
	sizes := []int{10, 1000, 100_000}
	rules := map[int]*Rules{}
	for _, size := range sizes {
		rules[size] = parseRules(b, manyRules(size))
	}
	for _, bb := range []struct {
		name string
		rule int // the rule that is to answer; -1: none
		msg  *wechatv1.Message
	}{
		{"exact", 5, text(word(5))},
		{"prefix", 6, text(word(6) + "，请问怎么办")},
		{"contains", 7, text("请问" + word(7) + "怎么办")},
		{"key", 8, event("CLICK", word(8))},
		{"fold", 9, text("请问abc" + word(9) + "怎么办")},
		{"miss", -1, text("请问" + strings.Repeat("甲", 5) + "怎么办")},
	} {
		want := ""
		if bb.rule >= 0 {
			want = fmt.Sprintf("r%d", bb.rule)
		}
		b.Run(bb.name, func(b *testing.B) {
			for _, size := range sizes {
				b.Run(fmt.Sprint(size), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if d := rules[size].Decide(b.Context(), bb.msg, nil); ruleName(d) != want {
							b.Fatalf("rule %q answered, want %q", ruleName(d), want)
						}
					}
				})
			}
		})
	}
}

// BenchmarkLoadRules loads many rules.
func BenchmarkLoadRules(b *testing.B) {
	for _, size := range []int{1000, 100_000} {
		data := []byte(manyRules(size))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Parse("rules.yaml", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
