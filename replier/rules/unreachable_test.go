package rules

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnreachable: which rules get the warning that they never answer.
func TestUnreachable(t *testing.T) {
	const said = "never answers: "
	for _, tt := range []struct {
		name  string
		rules string   // the matches of rules that say nothing, a line each, or whole rules
		want  []string // line:column: rule: text, without its beginning
	}{
		{"all different", "{text: a}\n{text: b}\n{event: CLICK}\n{type: image}", nil},
		{"behind all", "{}\n{text: a}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"each once, by the first", "{}\n{type: text}\n{text: a}", []string{
			`3:5: rule "1": rule "0" (line 2) answers everything that it matches`, `4:5: rule "2": rule "0" (line 2) answers everything that it matches`}},
		{"the same twice", "{text: a}\n{text: a}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"one of several", "{text: [a, b, c]}\n{text: [c, a]}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"one more", "{text: [a, b]}\n{text: [a, c]}", nil},
		{"two together", "{text: a}\n{text: b}\n{text: [a, b]}", nil},
		{"prefix before exact", "{text: {prefix: he}}\n{text: hello}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"exact before prefix", "{text: hello}\n{text: {prefix: he}}", nil},
		{"shorter prefix first", "{text: {prefix: he}}\n{text: {prefix: hel}}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"longer prefix first", "{text: {prefix: hel}}\n{text: {prefix: he}}", nil},
		{"contained in all", "{text: {contains: el}}\n{text: {exact: bell, prefix: hell, contains: ells}}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"contained in some", "{text: {contains: el}}\n{text: {exact: bell, contains: e}}", nil},
		{"prefix before contained", "{text: {prefix: el}}\n{text: {contains: el}}", nil},
		{"pattern before exact", "{text: {matches: '^h'}}\n{text: hello}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"pattern before prefix", "{text: {matches: '^h'}}\n{text: {prefix: hello}}", nil}, // true, and not seen
		{"the same pattern", "{text: {matches: '^h'}}\n{text: {matches: ['^h']}}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"the same pattern, folded first", "{text: {matches: '^ '}, fold: true}\n{text: {matches: '^ '}}", nil},
		{"the same pattern, folded once", "{text: {matches: h}}\n{text: {matches: h}, fold: true}", nil},
		{"folded first", "{text: HELLO, fold: true}\n{text: Ｈello}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"folded behind", "{text: hello}\n{text: hello, fold: true}", nil},
		{"both folded", "{text: 'HELLO ', fold: true}\n{text: hello, fold: true}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"a blank that folding takes away", "{text: {prefix: ' a'}, fold: true}\n{text: {prefix: ' ab'}}", []string{
			`2:38: rule "0": the prefix " a" begins with a space and never matches: fold: true ignores spaces at the start of a message`}},
		{"a type", "{type: [text, image]}\n{type: image}\n{text: a}", []string{
			`3:5: rule "1": rule "0" (line 2) answers everything that it matches`, `4:5: rule "2": rule "0" (line 2) answers everything that it matches`}},
		{"events", "{type: event}\n{event: CLICK}\n{event_key: a}", []string{
			`3:5: rule "1": rule "0" (line 2) answers everything that it matches`, `4:5: rule "2": rule "0" (line 2) answers everything that it matches`}},
		{"a key of each event", "{event: CLICK, event_key: a}\n{event_key: a}", nil},
		{"a key of one event", "{event_key: {prefix: a}}\n{event: CLICK, event_key: ab}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"an account of all", "{text: a}\n{account: shop, text: a}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"one account", "{account: shop}\n{text: a}", nil},
		{"another account", "{account: shop}\n{account: bar}", nil},
		{"accounts", "{account: [shop, bar]}\n{account: bar, text: a}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"a time", "{time: {from: '08:00'}}\n{text: a}", nil},
		{"the same time", "{time: {from: '08:00'}}\n{time: {from: '8:00', to: '24:00', timezone: Asia/Shanghai}, text: a}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"another time zone", "{time: {from: '08:00'}}\n{time: {from: '08:00', timezone: UTC}, text: a}", nil},
		{"a condition", "{when: message.msg_id == 1}\n{text: a}", nil},
		{"the same condition", "{when: message.msg_id == 1}\n{text: a, when: message.msg_id == 1}", []string{`3:5: rule "1": rule "0" (line 2) answers everything that it matches`}},
		{"another condition", "{when: message.msg_id == 1}\n{when: message.msg_id == 2}", nil},
		{"behind a bot without a fallback", "- {name: bot, forward: 'dns:///bot:9001'}\n- {name: instead, match: {text: a}, silent: true}", nil},
		{"behind a bot with a fallback", "- {name: bot, forward: {to: 'dns:///bot:9001', fallback: silent}}\n- {name: instead, match: {text: a}, silent: true}",
			[]string{`3:5: rule "instead": rule "bot" (line 2) answers everything that it matches`}},
		{"behind a bot whose fallback fails", "- {name: bot, forward: {to: 'dns:///bot:9001', fallback: {text: '{{ int(message.text.content) }}'}}}\n- {name: instead, match: {text: a}, silent: true}", nil},
		{"behind a reply that fails", "- {name: a, match: {type: text}, reply: {text: '{{ int(message.text.content) }}'}}\n- {name: b, match: {text: a}, silent: true}", nil},
		{"behind a reply that does not", "- {name: a, match: {type: text}, reply: {text: '{{ int(message.text.content) }}'}}\n- {name: b, match: {text: 7}, silent: true}",
			[]string{`3:5: rule "b": rule "a" (line 2) answers everything that it matches`}},
		{"behind two articles", "- {name: a, reply: {news: {articles: [{title: a, description: a, pic_url: a, url: a}, {title: a, description: a, pic_url: a, url: a}]}}}\n- {name: b, match: {text: a}, silent: true}\n- {name: c, match: {event: CLICK}, silent: true}",
			[]string{`2:89: rule "a": 2 articles; in the reply to a message that is not an event, WeChat shows only the first`,
				`3:5: rule "b": rule "a" (line 2) answers everything that it matches`, `4:5: rule "c": rule "a" (line 2) answers everything that it matches`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := "rules:\n"
			for i, line := range strings.Split(tt.rules, "\n") {
				if !strings.HasPrefix(line, "- ") {
					line = "- {name: " + string(rune('0'+i)) + ", match: " + line + ", silent: true}"
				}
				text += "  " + line + "\n"
			}
			text += "default: {silent: true}\n"
			var got []string
			for _, w := range parseRules(t, text).Warnings() {
				got = append(got, strings.Replace(strings.TrimPrefix(w.String(), "rules.yaml:"), said, "", 1))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnreachableIncluded: a rule of another file is named with its file.
func TestUnreachableIncluded(t *testing.T) {
	dir := t.TempDir()
	all, main := filepath.Join(dir, "all.yaml"), filepath.Join(dir, "main.yaml")
	for path, text := range map[string]string{
		all:  "rules:\n  - {name: all, silent: true}\n",
		main: "rules:\n  - include: all.yaml\n  - {name: a, match: {text: a}, silent: true}\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	want := main + `:3:5: rule "a": never answers: rule "all" (` + all + `:2) answers everything that it matches`
	if got := rules.Warnings().Error(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestCovers: a rule that covers another matches whatever the other one does.
func TestCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	covered, matched := 0, 0
	for range 60_000 {
		g := &generator{choices: byChance(r, 120)}
		a, b := g.match(), g.match()
		if !a.coversMatch(&b) {
			continue
		}
		covered++
		for i := range 8 {
			msg := g.message()
			if i == 0 {
				msg = b.exampleMessage()
			}
			if why, err := b.mismatchReason(t.Context(), newMatchInput(msg)); why != "" || err != nil {
				continue
			}
			matched++
			if why, err := a.mismatchReason(t.Context(), newMatchInput(msg)); why != "" || err != nil {
				t.Fatalf("%q, %v\nmessage %v\na %+v text %+v key %+v\nb %+v text %+v key %+v", why, err, msg, a, a.text, a.key, b, b.text, b.key)
			}
		}
	}
	if covered < 500 || matched < 500 {
		t.Errorf("%d pairs covered, %d messages matched: too few to tell", covered, matched)
	}
}

// TestExample: a rule matches its example, unless it has conditions for which no example is made.
func TestExample(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 5000 {
		m := (&generator{choices: byChance(r, 100)}).match()
		m.when, m.times = nil, nil
		if m.text != nil && (len(m.text.patterns) > 0 || m.text.fold) {
			continue // a blank at the end of a part is none of a folded text
		}
		msg := m.exampleMessage()
		if why, err := m.mismatchReason(t.Context(), newMatchInput(msg)); why != "" || err != nil {
			t.Fatalf("%q, %v\nmessage %v\nrule %+v text %+v key %+v", why, err, msg, m, m.text, m.key)
		}
	}
}
