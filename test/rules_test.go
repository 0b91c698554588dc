package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/test/testproc"

	"github.com/google/go-cmp/cmp"
)

// manual is the whole of docs/RULES.md and its translation.
func manual(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, name := range []string{"RULES.md", "RULES.zh-CN.md"} {
		data, err := os.ReadFile(filepath.Join("..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	return texts
}

func TestRulesCheck(t *testing.T) {
	t.Parallel()
	good := testproc.File(t, "rules.yaml", "rules: [{name: a, match: {text: hi}, reply: {text: hello}}]\nexpect: [{message: hi, rule: a}]\n")
	warned := testproc.File(t, "rules.yaml", "rules:\n  - name: price\n    match: {text: {contains: price}}\n    reply: {text: a}\n  - name: price today\n    match: {text: price today}\n    reply: {text: b}\n")
	unmet := testproc.File(t, "rules.yaml", "rules: [{name: a, reply: {text: hello}}]\nexpect:\n  - {message: hi, reply: {text: hi}}\n  - {message: hi, rule: b}\n  - {message: hi, rule: a}\n")
	bad := testproc.File(t, "rules.yaml", "rules:\n  - name: hello\n    match: {typ: text}\n    reply: {text: \"{{ message.text.contents }}\"}\n  - name: nothing\n")
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	badSays := `wxgate: FILE:3:13: rule "hello": unknown key "typ"; did you mean "type"?; expected account, type, event, event_key, text, fold, time or when
wxgate: FILE:4:35: rule "hello": undefined field 'contents'
wxgate: FILE:5:5: rule "nothing": expected exactly one of reply, random, forward or silent
`
	for _, c := range []struct {
		name           string
		files          []string
		code           int
		stdout, stderr string // FILE is the last of the files
	}{
		{"good", []string{good}, 0, "FILE: ok: rules 1, expectations 1, warnings 0\n", ""},
		{"built-in rules", []string{"../replier/rules/builtin.yaml"}, 0, "FILE: ok: rules 6, expectations 0, warnings 0\n", ""},
		{"a warning", []string{warned}, 0, "FILE: ok: rules 2, expectations 0, warnings 1\n",
			"warning: FILE:5:5: rule \"price today\": never answers: rule \"price\" (line 2) answers everything that it matches\n"},
		{"expectations that are not met", []string{unmet}, 1, "",
			"wxgate: FILE:3:5: expect: expected {\"text\":{\"content\":\"hi\"}}, got {\"text\":{\"content\":\"hello\"}} from rule \"a\" (line 1)\n" +
				"wxgate: FILE:4:5: expect: expected rule \"b\", got {\"text\":{\"content\":\"hello\"}} from rule \"a\" (line 1)\n"},
		{"bad", []string{bad}, 1, "", badSays},
		{"a good one and a bad one", []string{good, bad}, 1, good + ": ok: rules 1, expectations 1, warnings 0\n", badSays},
		{"missing", []string{missing}, 1, "", "wxgate: FILE: no such file or directory\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := testproc.Run(t, nil, "", append([]string{"rules", "check"}, c.files...)...)
			last := c.files[len(c.files)-1]
			want := []any{c.code, strings.ReplaceAll(c.stdout, "FILE", last), strings.ReplaceAll(c.stderr, "FILE", last)}
			if diff := cmp.Diff(want, []any{code, stdout, stderr}); diff != "" {
				t.Errorf("exit code, stdout, stderr (-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range manual(t) {
		if !strings.Contains(text, strings.ReplaceAll(badSays, "FILE", "rules.yaml")) {
			t.Error("the manual shows other problems than the check")
		}
	}
}

// TestRulesExamples: the command that the manual shows.
func TestRulesExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	code, stdout, stderr := testproc.Run(t, nil, "", append([]string{"rules", "check"}, files...)...)
	if code != 0 || stderr != "" || strings.Count(stdout, ": ok: ") != len(files) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	begin := strings.ReplaceAll(strings.Join(strings.SplitAfter(stdout, "\n")[:2], ""), "../", "")
	for _, text := range manual(t) {
		if !strings.Contains(text, "```\n"+begin+"…\n```") {
			t.Errorf("the manual shows other counts than\n%s", begin)
		}
	}
}

// asXML is a callback with a text.
func asXML(text string) string {
	return "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1769740000</CreateTime><MsgType>text</MsgType><Content>" +
		text + "</Content><MsgId>1</MsgId></xml>"
}

// asJSON is a text as "wxgate decode" prints it.
func asJSON(t *testing.T, text string) string {
	t.Helper()
	_, stdout, _ := testproc.Run(t, nil, asXML(text), "decode")
	return stdout
}

func TestRulesTry(t *testing.T) {
	t.Parallel()
	const shop, bot, branches = "../examples/rules/shop.yaml", "../examples/rules/bot.yaml", "../examples/rules/branches.yaml"
	price := `welcome by QR code … help button (5 rules) do not answer: the event differs
other events does not answer: the message type differs
price answers (FILE:51)
{
  "text": {
    "content": "奶茶 12 元起，果茶 15 元起。"
  }
}
`
	nothing := testproc.File(t, "rules.yaml", "rules: [{name: a, match: {text: hi}, reply: {text: hello}}, {name: b, match: {event: CLICK}, silent: true}]\n")
	failing := testproc.File(t, "rules.yaml", "rules: [{name: a, match: {when: 'int(message.text.content) == 8'}, silent: true}, {name: b, match: {time: {from: '09:00', to: '10:00', days: sat, timezone: Asia/Shanghai}}, silent: true}]\n")
	for _, c := range []struct {
		name, file, stdin string
		flags             []string
		code              int
		stdout            string // FILE is the file
		stderr            string // a part of it
	}{
		{"XML", shop, asXML("请问奶茶多少钱"), nil, 0, price, ""},
		{"JSON", shop, asJSON(t, "请问奶茶多少钱"), nil, 0, price, ""},
		{"forward", bot, asXML("hello"), nil, 0, `welcome and question of the day do not answer: the event differs
other events does not answer: the message type differs
people does not answer: the text differs
chat answers (FILE:25)
it forwards to dns:///bot:9001, which was not asked
`, ""},
		{"the default, by chance", shop, asXML("hello"), nil, 0, `welcome by QR code … help button (5 rules) do not answer: the event differs
other events does not answer: the message type differs
price … order (9 rules) do not answer: the text differs
default answers (FILE:96)
it says one of:
{
  "text": {
    "content": "没听懂，回复「价格」「地址」「营业时间」试试。"
  }
}
{
  "text": {
    "content": "抱歉，我只认识几个词。回复「人工」找店员。"
  }
}
`, ""},
		{"no rule", nothing, asXML("hello"), nil, 0, "a does not answer: the text differs\nb does not answer: the event differs\nno rule answers: nothing is said\n", ""},
		{"silence", nothing, `{"msgType": "event", "event": {"event": "CLICK"}}`, nil, 0, "a does not answer: the message type differs\nb answers (FILE:1)\nit says nothing\n", ""},
		{"account", branches, asXML("地址"), []string{"--account", "south"}, 0, `welcome of the north branch does not answer: the account differs
welcome does not answer: the event differs
invoice and membership do not answer: the text differs
north address does not answer: the account differs
south address answers (FILE:20)
{
  "text": {
    "content": "南区店：示例市南环路 2 号。"
  }
}
`, ""},
		{"no message", shop, "", nil, 1, "", "line 1, column 1"},
		{"a text alone", shop, "请问奶茶多少钱\n", nil, 0, price, ""},
		{"a text that fails", failing, "abc", nil, 0, "a does not answer: it failed: when: failed on this message: type conversion error from 'string' to 'int'\n" +
			"b does not answer: the time differs\nno rule answers: nothing is said\n", ""},
		{"a time", failing, "7", []string{"--at", "2026-01-31T09:30:00+08:00"}, 0, "a does not answer: when: is false\nb answers (FILE:1)\nit says nothing\n", ""},
		{"no time", failing, "7", []string{"--at", "tomorrow"}, 1, "", "--at: \"tomorrow\"; expected a time such as"},
		{"bad rules", "../replier/rules/testdata/bad/empty.yaml", asXML("hello"), nil, 1, "", "empty.yaml:1:1: the file is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := testproc.Run(t, nil, c.stdin, append([]string{"rules", "try", c.file}, c.flags...)...)
			if diff := cmp.Diff(strings.ReplaceAll(c.stdout, "FILE", c.file), stdout); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			if code != c.code || (c.stderr == "") != (stderr == "") || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q", code, c.code, stderr, c.stderr)
			}
		})
	}
	for _, text := range manual(t) {
		if !strings.Contains(text, strings.ReplaceAll(price, "FILE", "examples/rules/shop.yaml")) {
			t.Error("the manual shows another trial")
		}
	}
}

func TestRulesSchema(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := testproc.Run(t, nil, "", "rules", "schema")
	var schema struct {
		Schema string `json:"$schema"`
	}
	if err := json.Unmarshal([]byte(stdout), &schema); err != nil || code != 0 || stderr != "" || schema.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
}
