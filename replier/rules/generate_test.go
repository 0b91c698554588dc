package rules

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// generator makes rules and messages that are near to each other. What it makes depends on its choices alone: bytes,
// of a fuzzer or by chance.
type generator struct {
	choices []byte
	parts   []string // of the texts of the rules made so far: messages say them again
}

// conditions are what rules can have as when:. The last one fails on every message.
var conditions = sync.OnceValue(func() []*celCondition {
	x, err := newCompiler()
	if err != nil {
		panic(err)
	}
	var all []*celCondition
	for _, source := range []string{
		"message.text.content.size() > 2", "message.msg_id == 7", "message.event.event_key != ''", "message.extra[0].text == ''",
	} {
		c, problems := x.compileCondition(source)
		if len(problems) > 0 {
			panic(problems)
		}
		all = append(all, c)
	}
	return all
})

// byChance returns choices.
func byChance(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// pick returns a number below n; 0 if there are no choices left.
func (g *generator) pick(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := g.choices[0]
	g.choices = g.choices[1:]
	return int(c) % n
}

// odds is true once in n, by the choices.
func (g *generator) odds(n int) bool { return g.pick(n) == 1 }

func (g *generator) of(list ...string) string { return list[g.pick(len(list))] }

// some returns one or two of list.
func (g *generator) some(list ...string) []string {
	all := []string{g.of(list...)}
	if g.odds(3) {
		all = append(all, g.of(list...))
	}
	return all
}

// letters are few, so that texts meet, and such as fold, in one byte and in several.
var letters = []string{"a", "b", "A", " ", "\u3000", "Ａ", "ア", "ｱ", "你", "ß", "ss", "好"}

// word returns a text of one to four letters.
func (g *generator) word() string {
	var b strings.Builder
	for range 1 + g.pick(4) {
		b.WriteString(g.of(letters...))
	}
	return b.String()
}

// words returns up to two texts.
func (g *generator) words(fold func(string) string) []string {
	var all []string
	for range g.pick(3) {
		w := g.word()
		g.parts = append(g.parts, w)
		all = append(all, fold(w))
	}
	return all
}

func (g *generator) alternatives(isText bool) *textMatcher {
	a := &textMatcher{fold: isText && g.odds(2)}
	whole, part := func(s string) string { return s }, func(s string) string { return s }
	if a.fold {
		whole, part = foldWhole, foldPart
	}
	a.exact, a.prefixes = g.words(whole), g.words(part)
	if isText {
		a.contains = g.words(part)
		if g.odds(4) {
			a.sources = []string{g.of("a+b", "^A", "你$", "[a-b]{2}", "ss", "^ ")}
			pattern := a.sources[0]
			if a.fold {
				pattern = "(?i)" + foldPattern(pattern)
			}
			a.patterns = []*regexp.Regexp{regexp.MustCompile(pattern)}
		}
	}
	if len(a.exact)+len(a.prefixes)+len(a.contains)+len(a.patterns) == 0 {
		a.exact = []string{whole("a")}
	}
	return a
}

func (g *generator) match() ruleMatch {
	var m ruleMatch
	if g.odds(4) {
		m.accounts = g.some("shop", "bar")
	}
	switch g.pick(6) {
	case 0, 1, 2:
		m.text = g.alternatives(true)
		if g.odds(4) {
			m.types = []string{"text"}
		}
	case 3:
		m.key = g.alternatives(false)
		if g.odds(2) {
			m.events = g.some("click", "view")
		}
	case 4:
		m.events = g.some("click", "view")
		if g.odds(2) {
			m.types = []string{"event"}
		}
	case 5:
		m.types = g.some("text", "image", "event")
	}
	if g.odds(8) {
		m.times = []timeSpan{{from: 8 * 60, to: 20 * 60, days: [7]bool{1: true, 2: true}, zone: time.UTC}}
	}
	if g.odds(8) {
		m.when = conditions()[g.pick(4)]
	}
	return m
}

// rules returns up to 12 rules. They say nothing, and some fail.
func (g *generator) rules() *Rules {
	list := make([]Rule, 1+g.pick(12))
	for i := range list {
		list[i] = Rule{Name: fmt.Sprint(i), match: g.match()}
		if g.odds(6) {
			list[i].replies = []replyFunc{func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
				return nil, errors.New("as told")
			}}
		}
	}
	return &Rules{list: list, index: newIndex(list)}
}

// says returns a text, often of parts of the rules.
func (g *generator) says() string {
	text := ""
	if g.odds(3) {
		text = g.word()
	}
	if len(g.parts) > 0 && g.pick(4) > 0 {
		text += g.parts[g.pick(len(g.parts))]
	}
	if g.odds(3) {
		text += g.word()
	}
	return text
}

// message returns one as WeChat sends it: its type is that of its content.
func (g *generator) message() *wechatv1.Message {
	msg := &wechatv1.Message{Account: g.of("shop", "bar", "other", ""), MsgId: int64(7 * g.pick(2))}
	msg.CreateTime = []int64{1_768_800_000, 1_769_200_000}[g.pick(2)] // a Monday and a Friday
	switch g.pick(5) {
	case 0, 1, 2:
		msg.MsgType = g.of("text", "Text")
		msg.Content = &wechatv1.Message_Text{Text: &wechatv1.Text{Content: g.says()}}
	case 3:
		msg.MsgType = "event"
		msg.Content = &wechatv1.Message_Event{Event: &wechatv1.Event{Event: g.of("CLICK", "view", "SCAN"), EventKey: g.says()}}
	case 4:
		msg.MsgType = "image"
	}
	return msg
}

// failures returns how many rules failed in a trial.
func failures(t Trial) int {
	n := 0
	for _, m := range t.Missed {
		if strings.HasPrefix(m.Why, "it failed: ") {
			n++
		}
	}
	return n
}
