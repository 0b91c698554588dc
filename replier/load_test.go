package replier

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bad is what each file of testdata/bad gets told, all of it at once: line:column: problem.
var bad = map[string][]string{
	"alias": {
		`6:12: rule "b": expected type, event or event_key`,
		`9:13: rule "c": unknown key "<<"; expected type, event or event_key`,
	},
	"answers": {
		`3:23: rule "two kinds": a second kind of reply; expected one`,
		`4:5: rule "both": expected either reply: or silent: true`,
		`7:5: rule "neither": expected either reply: or silent: true`,
		`9:5: rule "#4": expected either reply: or silent: true`,
	},
	"binary": {
		`1:1: not UTF-8: save the file in this encoding`,
	},
	"braces": {
		`3:23: rule "unclosed": {{ has no }}; expected {{ expression }}`,
		`5:23: rule "half closed": {{ has no }}; expected {{ expression }}`,
		`7:25: rule "empty": nothing between {{ and }}; expected an expression such as message.text.content`,
		`9:25: rule "blank": nothing between {{ and }}; expected an expression such as message.text.content`,
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
		`1:1: the file is empty; expected rules:`,
	},
	"duplicate_flow_keys": {
		`3:25: not YAML: mapping key "type" already defined at [3:13]`,
	},
	"duplicate_keys": {
		`4:5: not YAML: mapping key "match" already defined at [3:5]`,
	},
	"duplicate_names": {
		`6:5: rule "a": another rule has this name; expected a name of its own`,
		`10:5: rule "#4": another rule has this name; expected a name of its own`,
	},
	"empty": {
		`1:1: the file is empty; expected rules:`,
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
	"latin1": {
		`1:1: not UTF-8: save the file in this encoding`,
	},
	"match": {
		`3:19: rule "slip": "text message" is no MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends`,
		`6:19: rule "comma": "text,image" is no MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends`,
		`9:19: rule "in a list": "bild!" is no MsgType; expected text, image, voice, video, shortvideo, location, link, event or another that WeChat sends`,
		`12:12: rule "key of a text": event and event_key match events only; expected type: event, or no type`,
		`15:12: rule "event of a text": event and event_key match events only; expected type: event, or no type`,
	},
	"missing_fields": {
		`3:12: rule "image": image.media_id: empty, but required`,
		`6:7: rule "voice": voice.media_id: empty, but required`,
		`8:12: rule "video": video.media_id: empty, but required`,
		`10:12: rule "music": music.thumb_media_id: empty, but required`,
		`12:12: rule "news": news.articles: 0 articles, expected 1 to 8`,
		`15:7: rule "article": news.articles[0].description: empty, but required; news.articles[0].pic_url: empty, but required; news.articles[0].url: empty, but required; news.articles[1].title: empty, but required`,
		`20:12: rule "too many": news.articles: 9 articles, expected 1 to 8`,
		`25:12: rule "empty reply": the reply says nothing; expected one that does, or silent: true in its place`,
		`27:19: rule "empty text": expected a text`,
		`29:12: rule "no content": the reply says nothing; expected one that does, or silent: true in its place`,
	},
	"no_rules": {
		`1:1: no rules; expected rules: and a list`,
	},
	"not_text": {
		`3:22: rule "message": the expression gives a wechat.v1.Message, expected a text or a number`,
		`5:24: rule "list": the expression gives a list(wechat.v1.Element), expected a text or a number`,
		`7:24: rule "map": the expression gives a map(string, int), expected a text or a number`,
		`9:24: rule "bytes": the expression gives a bytes, expected a text or a number`,
		`11:24: rule "nothing": the expression gives a null_type, expected a text or a number`,
		`13:24: rule "timestamp": the expression gives a google.protobuf.Timestamp, expected a text or a number`,
	},
	"not_yaml": {
		`3:19: not YAML: could not find end character of double-quoted text`,
	},
	"nul": {
		`1:1: not YAML: unexpected key name`,
	},
	"odd": {
		`2:11: rule "#1": expected a text`,
		`4:11: rule "#2": expected a text`,
		`9:12: rule "#4": expected type, event or event_key`,
	},
	"root_list": {
		`1:1: expected rules: and a list`,
	},
	"root_text": {
		`1:1: expected rules: and a list`,
	},
	"rules_not_list": {
		`2:3: expected a list with at least one item`,
	},
	"rules_null": {
		`1:8: expected a list with at least one item`,
	},
	"tab_inside": {
		`4:1: not YAML: found character '	' that cannot start any token`,
	},
	"tabs": {
		`2:1: not YAML: found character '	' that cannot start any token`,
	},
	"two_documents": {
		`5:1: a second YAML document; expected one`,
	},
	"unknown_keys": {
		`1:1: unknown key "rule"; expected rules: and a list`,
		`3:1: unknown key "version"; expected rules: and a list`,
		`6:5: rule "greet": unknown key "mach"; expected name, match, reply or silent`,
		`7:13: rule "greet": unknown key "typ"; expected type, event or event_key`,
		`7:24: rule "greet": unknown key "event-key"; expected type, event or event_key`,
		`9:7: rule "greet": unknown key "texte"; expected text, image, voice, video, music, news or transfer_customer_service`,
		`13:9: rule "card": unknown key "article"; expected articles`,
		`15:13: rule "card": unknown key "titel"; expected title, description, pic_url or url`,
		`20:21: rule "image": unknown key "mediaid"; expected media_id`,
	},
	"unquoted_braces": {
		`4:14: not YAML: could not find flow map content`,
	},
	"wrong_types": {
		`2:5: rule "#1": expected name, match, reply or silent`,
		`3:11: rule "#2": expected a text`,
		`4:13: rule "#2": silent: expected true`,
		`5:11: rule "#3": expected a text`,
		`6:13: rule "#3": silent: expected true`,
		`7:12: rule "#4": expected type, event or event_key`,
		`9:19: rule "#5": expected a text`,
		`11:26: rule "#6": expected a text`,
		`13:11: rule "#7": expected type, event or event_key`,
		`14:12: rule "#7": expected text, image, voice, video, music, news or transfer_customer_service`,
		`15:12: rule "#8": expected text, image, voice, video, music, news or transfer_customer_service`,
		`16:19: rule "#9": expected content`,
		`17:29: rule "#10": expected a text`,
		`18:20: rule "#11": expected media_id`,
		`19:30: rule "#12": expected a list with at least one item`,
		`20:31: rule "#13": expected title, description, pic_url or url`,
		`21:18: rule "#14": expected content`,
		`22:19: rule "#15": expected media_id`,
		`23:40: rule "#16": expected kf_account`,
		`24:12: rule "#17": silent: expected true`,
		`25:5: rule "#18": expected name, match, reply or silent`,
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
			rules, err := LoadRules(path)
			if rules != nil {
				t.Errorf("loaded %d rules", rules.Len())
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, expected Problems", err)
			}
			want := make([]string, len(bad[name]))
			for i, p := range bad[name] {
				want[i] = path + ":" + p
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRulesGood(t *testing.T) {
	want := map[string]int{"bom": 1, "crlf": 2, "json": 1, "match": 8, "replies": 10, "unnamed": 3}
	got := map[string]int{}
	for _, name := range yamlFiles(t, "good") {
		rules, err := LoadRules(filepath.Join("testdata", "good", name+".yaml"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got[name] = rules.Len()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules in each file (-want +got):\n%s", diff)
	}
}

// TestNames: a rule without a name is called by its place.
func TestNames(t *testing.T) {
	rules, err := LoadRules("testdata/good/unnamed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rules.list {
		got = append(got, r.name)
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
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	for _, tt := range []struct{ name, path, want string }{
		{"missing", missing, "rules: open " + missing + ": no such file or directory"},
		{"directory", dir, "rules: read " + dir + ": is a directory"},
		{"too large", large, "rules: " + large + " is larger than 32 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Config{Rules: tt.path}.Validate()
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
		})
	}
	if err := (Config{Rules: missing}).Validate(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not wrap fs.ErrNotExist", err)
	}
}

// TestNewBadRules: a bad file stops the start before an address is bound.
func TestNewBadRules(t *testing.T) {
	s, err := New(Config{Listen: "no address", Rules: "testdata/bad/empty.yaml"})
	if s != nil || err == nil || err.Error() != "testdata/bad/empty.yaml:1:1: the file is empty; expected rules:" {
		t.Errorf("got %v, %v", s, err)
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
