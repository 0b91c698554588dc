package rules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/configfile"
)

// bad lists all problems of each file of testdata/bad: line:column: problem.
var bad = map[string][]string{
	"alias": {
		`6:12: rule "b": expected account, type, event, event_key, text, fold, time or when; aliases (*m) are not resolved, write it out`,
		`9:13: rule "c": unknown key "<<"; expected account, type, event, event_key, text, fold, time or when`,
	},
	"answers": {
		`3:23: rule "two kinds": a second kind of reply; expected one`,
		`4:5: rule "both": expected exactly one of reply, random, forward or silent`,
		`7:5: rule "neither": expected exactly one of reply, random, forward or silent`,
		`9:5: rule "#4": expected exactly one of reply, random, forward or silent`,
	},
	"binary": {
		`1:1: not UTF-8: save the file in this encoding`,
	},
	"braces": {
		`3:23: rule "unclosed": {{ has no }}; expected {{ expression }}`,
		`5:23: rule "half closed": {{ has no }}; expected {{ expression }}`,
		`7:25: rule "empty": the expression is empty; expected one such as message.text.content`,
		`9:25: rule "blank": the expression is empty; expected one such as message.text.content`,
		`11:23: rule "open in a string": {{ has no }}; expected {{ expression }}`,
	},
	"cel": {
		`4:37: rule "plain": undefined field 'contents'`,
		`7:33: rule "quoted": undefined field 'nope'`,
		`7:53: rule "quoted": Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}`,
		`10:26: rule "single quoted": undeclared reference to 'mesage' (did you mean 'message'?)`,
		`12:54: rule "flow": found no matching overload for '_+_' applied to '(string, int)'`,
		`14:53: rule "unicode": undeclared reference to 'lenght'`,
		`17:13: rule "block": undefined field 'nope'`,
		`22:13: rule "folded": undefined field 'nope'`,
		`25:19: rule "escaped": undefined field 'nope'`,
		`28:13: rule "two lines": undefined field 'nope'`,
		`31:41: rule "same text before": undeclared reference to 'x'`,
		`31:59: rule "same text before": undeclared reference to 'nope'`,
	},
	"comments": {
		`1:1: the file is empty`,
	},
	"conditions": {
		`1:11: "Asia/Peking" is not a time zone; expected one such as Asia/Shanghai or UTC`,
		`2:7: expected true or false`,
		`5:12: rule "text of an image": text matches text messages only; expected type: text, or no type`,
		`8:12: rule "text and event": a message is a text or an event; expected text, or event and event_key`,
		`11:19: rule "nothing to match": expected exact, prefix, contains or matches`,
		`14:13: rule "slips": unknown key "accounts"; did you mean "account"?; expected account, type, event, event_key, text, fold, time or when`,
		`14:36: rule "slips": unknown key "contain"; did you mean "contains"?; expected exact, prefix, contains or matches`,
		`14:48: rule "slips": unknown key "prefixed"; did you mean "prefix"?; expected exact, prefix, contains or matches`,
		`14:61: rule "slips": unknown key "regex"; expected exact, prefix, contains or matches`,
		`14:72: rule "slips": unknown key "event_keys"; did you mean "event_key"?; expected account, type, event, event_key, text, fold, time or when`,
		`17:25: rule "keys have no contains": unknown key "contains"; expected exact or prefix`,
		"22:20: rule \"regular expressions\": matches: missing closing ): `a(b`; expected RE2 syntax",
		"22:29: rule \"regular expressions\": matches: missing closing ]: `[`; expected RE2 syntax",
		"22:35: rule \"regular expressions\": matches: invalid repeat count: `{2,1}`; expected RE2 syntax",
		"22:49: rule \"regular expressions\": matches: invalid repeat count: `{100}`; expected RE2 syntax",
		"22:70: rule \"regular expressions\": matches: invalid named capture: `(?<=a)b`; expected RE2 syntax",
		`26:20: rule "time": "9" is not a time of day; expected one from 00:00 to 24:00`,
		`26:29: rule "time": "25:00" is not a time of day; expected one from 00:00 to 24:00`,
		`26:44: rule "time": days: "monday" is not a day; expected mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri`,
		`26:44: rule "time": days: "fri-sonntag" is not a day; expected mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri`,
		`26:77: rule "time": "Mars/Olympus" is not a time zone; expected one such as Asia/Shanghai or UTC`,
		`29:19: rule "no span": from and to are equal; expected a time span`,
		`33:25: rule "when": when: undefined field 'contents'`,
		`36:19: rule "when gives a text": when: the expression returns a string; expected true or false`,
		`39:52: rule "when is no expression": fold: needs text:, which is missing`,
		`39:43: rule "when is no expression": when: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}`,
		`42:48: rule "functions that can make too much": when: undeclared reference to 'replace'`,
		`45:30: rule "large": matches: the regular expression is too large; expected fewer or smaller repetitions`,
	},
	"duplicate_flow_keys": {
		`3:25: rule "a": type: given twice`,
	},
	"duplicate_keys": {
		`4:5: rule "a": match: given twice`,
	},
	"duplicate_names": {
		`6:5: rule "a": another rule has this name; expected a unique name`,
		`10:5: rule "#4": another rule has this name; expected a unique name`,
	},
	"empty": {
		`1:1: the file is empty`,
	},
	"empty_lists": {
		`2:19: rule "#1": expected a list with at least one item`,
		`4:20: rule "#2": expected a list with at least one item`,
		`4:35: rule "#2": expected a list with at least one item`,
		`6:30: rule "#3": expected a list with at least one item`,
	},
	"empty_rules": {
		`1:8: expected a list with at least one item`,
	},
	"expect": {
		`5:5: expect: unknown key "says"; expected message, at, rule and one of reply, forward or silent`,
		`4:5: expect: expects nothing; expected rule, reply, forward or silent`,
		`6:5: expect: message: missing; expected a text, or a message such as {event: {event: CLICK, event_key: help}}`,
		`7:24: expect: unknown field "evnt" of wechat.v1.Event; did you mean "event"?; MESSAGES.md lists them`,
		`9:22: expect: aliases (*t) are not resolved, write it out`,
		`11:9: expect: at: expected a time such as 2026-01-31T09:30:00+08:00`,
		`14:23: expect: undeclared reference to 'nope'`,
		`15:5: expect: expected message, at, rule and one of reply, forward or silent`,
		`16:15: expect: message: not a wechat.v1.Message: invalid value for int64 field msgId: "x"`,
		`17:27: expect: silent: expected true`,
		`18:5: expect: expects several things; expected one of reply, forward or silent`,
	},
	"forward": {
		`2:3: default: unknown key "name"; expected one of reply, random, forward or silent`,
		`2:3: default: expected exactly one of reply, random, forward or silent`,
		`5:14: rule "no target": to: missing; expected a gRPC target such as dns:///bot:9001`,
		`7:14: rule "not one": "dns bot" is not a gRPC target; expected one such as dns:///bot:9001`,
		`9:19: rule "empty": expected a text`,
		`11:47: rule "timeouts": timeout: "2"; expected more than 0s and at most 1m0s, such as 2s or 500ms`,
		`13:47: rule "too long": timeout: "5h"; expected more than 0s and at most 1m0s, such as 2s or 500ms`,
		`13:51: rule "too long": unknown key "retry"; expected to, timeout, slow, wait or fallback`,
		`15:49: rule "fallback": unknown key "txt"; did you mean "text"?; expected text, image, voice, video, music, news or transfer_customer_service`,
		`17:48: rule "fallback text": expected text, image, voice, video, music, news or transfer_customer_service`,
		`18:5: rule "two actions": expected exactly one of reply, random, forward or silent`,
		`22:36: rule "random": undeclared reference to 'x'`,
		`22:44: rule "random": expected text, image, voice, video, music, news or transfer_customer_service`,
		`24:13: rule "no choice": expected a list with at least one item`,
	},
	"include": {
		`2:14: include: testdata/bad/include/missing.yaml: no such file or directory`,
		`testdata/bad/include/circle_back.yaml:2:14: include: ../include.yaml includes itself: testdata/bad/include.yaml → testdata/bad/include/circle.yaml → testdata/bad/include/circle_back.yaml → testdata/bad/include.yaml`,
		`testdata/bad/include/default.yaml:3:5: rule "in another file": another rule has this name; expected a unique name`,
		`testdata/bad/include/default.yaml:4:10: default: expected in the main file only: it applies after all rules`,
		`testdata/bad/include/broken.yaml:2:1: not YAML: did not find expected node content`,
		`6:14: expected a text`,
		`7:5: rule "both": unknown key "include"; expected name, match and one of reply, random, forward or silent`,
		`7:5: rule "both": expected exactly one of reply, random, forward or silent`,
	},
	"latin1": {
		`1:1: not UTF-8: save the file in this encoding`,
	},
	"match": {
		`3:19: rule "slip": "text message" is not a MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends`,
		`6:19: rule "comma": "text,image" is not a MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends`,
		`9:19: rule "in a list": "bild!" is not a MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends`,
		`12:12: rule "key of a text": event and event_key match events only; expected type: event, or no type`,
		`15:12: rule "event of a text": event and event_key match events only; expected type: event, or no type`,
	},
	"missing_fields": {
		`3:12: rule "image": image.media_id: empty, but required`,
		`6:7: rule "voice": voice.media_id: empty, but required`,
		`8:12: rule "video": video.media_id: empty, but required`,
		`10:12: rule "music": music.thumb_media_id: empty, but required`,
		`12:12: rule "news": news.articles: empty, but required`,
		`15:7: rule "article": news.articles[1].title: empty, but required`,
		`25:12: rule "empty reply": the reply is empty; expected one with content, or silent: true instead`,
		`27:19: rule "empty text": expected a text`,
		`29:12: rule "no content": the reply is empty; expected one with content, or silent: true instead`,
	},
	"no_rules": {
		`1:1: rules: missing; expected a list of rules`,
	},
	"not_text": {
		`3:22: rule "message": the expression returns a wechat.v1.Message; expected a text or a number`,
		`5:24: rule "list": the expression returns a list(wechat.v1.Element); expected a text or a number`,
		`7:24: rule "map": the expression returns a map(string, int); expected a text or a number`,
		`9:24: rule "bytes": the expression returns a bytes; expected a text or a number`,
		`11:24: rule "nothing": the expression returns a null_type; expected a text or a number`,
		`13:24: rule "timestamp": the expression returns a google.protobuf.Timestamp; expected a text or a number`,
	},
	"not_yaml": {
		`4:1: not YAML: found unexpected end of stream (while scanning a quoted scalar at 3:19)`,
	},
	"nul": {
		`1:1: not YAML: control characters are not allowed (value: 0)`,
	},
	"odd": {
		`2:11: rule "#1": expected a text`,
		`4:11: rule "#2": expected a text`,
		`9:12: rule "#4": expected account, type, event, event_key, text, fold, time or when; aliases (*texts) are not resolved, write it out`,
	},
	"root_list": {
		`1:1: expected rules, default, timezone, fold or expect`,
	},
	"root_text": {
		`1:1: expected rules, default, timezone, fold or expect`,
	},
	"rules_not_list": {
		`2:3: expected a list with at least one item`,
	},
	"rules_null": {
		`1:7: expected a list with at least one item`,
	},
	"tab_inside": {
		`4:1: not YAML: found character that cannot start any token; a tab cannot indent, expected spaces`,
	},
	"tabs": {
		`2:1: not YAML: found character that cannot start any token; a tab cannot indent, expected spaces`,
	},
	"two_documents": {
		`5:1: a second YAML document; expected one`,
	},
	"unknown_keys": {
		`1:1: unknown key "rule"; did you mean "rules"?; expected rules, default, timezone, fold or expect`,
		`3:1: unknown key "version"; expected rules, default, timezone, fold or expect`,
		`6:5: rule "greet": unknown key "mach"; did you mean "match"?; expected name, match and one of reply, random, forward or silent`,
		`7:13: rule "greet": unknown key "typ"; did you mean "type"?; expected account, type, event, event_key, text, fold, time or when`,
		`7:24: rule "greet": unknown key "event-key"; did you mean "event_key"?; expected account, type, event, event_key, text, fold, time or when`,
		`9:7: rule "greet": unknown key "texte"; did you mean "text"?; expected text, image, voice, video, music, news or transfer_customer_service`,
		`13:9: rule "card": unknown key "article"; did you mean "articles"?; expected articles`,
		`15:13: rule "card": unknown key "titel"; did you mean "title"?; expected title, description, pic_url or url`,
		`20:21: rule "image": unknown key "mediaid"; did you mean "media_id"?; expected media_id`,
	},
	"unquoted_braces": {
		`4:14: rule "unquoted": a mapping as a key; put quotes around a text that begins with {{: '{{ … }}'`,
	},
	"wrong_types": {
		`2:5: rule "#1": expected name, match and one of reply, random, forward or silent`,
		`3:11: rule "#2": expected a text`,
		`4:13: rule "#2": silent: expected true`,
		`5:11: rule "#3": expected a text`,
		`6:13: rule "#3": silent: expected true`,
		`7:12: rule "#4": expected account, type, event, event_key, text, fold, time or when`,
		`9:19: rule "#5": expected a text`,
		`11:26: rule "#6": expected a text`,
		`13:11: rule "#7": expected account, type, event, event_key, text, fold, time or when`,
		`14:12: rule "#7": expected text, image, voice, video, music, news or transfer_customer_service`,
		`15:12: rule "#8": expected text, image, voice, video, music, news or transfer_customer_service`,
		`16:19: rule "#9": expected content`,
		`17:29: rule "#10": expected a text`,
		`18:20: rule "#11": expected media_id`,
		`19:30: rule "#12": expected a list with at least one item`,
		`20:31: rule "#13": expected title, description, pic_url or url`,
		`21:19: rule "#14": expected content`,
		`22:20: rule "#15": expected media_id`,
		`23:40: rule "#16": expected kf_account`,
		`24:12: rule "#17": silent: expected true`,
		`25:4: rule "#18": expected name, match and one of reply, random, forward or silent`,
	},
}

func TestLoadRulesBad(t *testing.T) {
	names := yamlFiles(t, "bad")
	if len(names) != len(bad) {
		t.Errorf("%d files in testdata/bad, %d in the table", len(names), len(bad))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "bad", name+".yaml")
			rules, err := Load(path)
			if rules != nil {
				t.Errorf("loaded %d rules", rules.RuleCount())
			}
			if _, ok := errors.AsType[configfile.Problems](err); !ok {
				t.Fatalf("got %v, expected Problems", err)
			}
			want := make([]string, len(bad[name]))
			for i, p := range bad[name] {
				if want[i] = path + ":" + p; strings.HasPrefix(p, "testdata/") {
					want[i] = p
				}
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoadRulesGood: each file of testdata/good loads, has the given number of warnings, and meets its own expectations.
func TestLoadRulesGood(t *testing.T) {
	type counts struct{ rules, warnings, expectations int }
	want := map[string]counts{
		"bom": {1, 0, 0}, "conditions": {13, 0, 0}, "crlf": {2, 0, 0}, "expect": {6, 0, 11}, "fold": {5, 0, 0}, "include": {7, 0, 1},
		"json": {1, 0, 0}, "match": {8, 2, 0}, "replies": {10, 0, 0}, "times": {8, 0, 0}, "unnamed": {3, 1, 0},
	}
	got := map[string]counts{}
	for _, name := range yamlFiles(t, "good") {
		rules, err := Load(filepath.Join("testdata", "good", name+".yaml"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got[name] = counts{rules.RuleCount(), len(rules.Warnings()), rules.ExpectationCount()}
		if unmet := rules.Check(t.Context()); unmet != nil {
			t.Errorf("%s: %v", name, unmet)
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(counts{})); diff != "" {
		t.Errorf("rules, warnings and expectations in each file (-want +got):\n%s", diff)
	}
}

// TestNames: a rule without a name is named by its number.
func TestNames(t *testing.T) {
	rules, err := Load("testdata/good/unnamed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rules.list {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"#1", "3", "tagged"}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestLoadRulesUnreadable(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 50<<20); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	for _, tt := range []struct{ name, path, want string }{
		{"missing", missing, missing + ": no such file or directory"},
		{"directory", dir, dir + ": is a directory; expected a regular file"},
		{"too large", large, large + ": larger than 32 MiB, which is the most for a file and all that it includes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.path)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
		})
	}
}

// yamlFiles returns the names of the files in a directory of testdata, without their ending.
func yamlFiles(tb testing.TB, dir string) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no files in testdata/%s: %v", dir, err)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".yaml")
	}
	return paths
}
