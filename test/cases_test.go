package test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/fakewechat"
	"wxgate/internal/wechat"
	"wxgate/test/testproc"
)

// TestCases: each file of testdata/cases has inputs, and the answer that is right. Those in JSON are rules and callbacks; the
// others are told in words, and played here.
func TestCases(t *testing.T) {
	t.Parallel()
	played := map[string]func(*testing.T){
		"callback-link-shared":                  playSharedCallback,
		"first-answer-of-an-unverified-account": playUnverifiedAccount,
		"token-with-bom":                        playBadTokens,
		"trailing-slash":                        playTrailingSlash,
		"two-accounts-one-browser":              playTwoAccounts,
	}
	files, err := filepath.Glob(filepath.Join("testdata", "cases", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range files {
		name, isJSON := strings.CutSuffix(filepath.Base(path), ".json")
		name = strings.TrimSuffix(name, ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if isJSON {
				readCase(t, path).check(t, name)
			} else if play := played[name]; play != nil {
				play(t)
			} else {
				t.Error("nothing plays this case")
			}
		})
	}
}

// ruleCase is a case with a rules file.
type ruleCase struct {
	Rules     string
	Callbacks []string // with @NOW@ and @ID@
	Expect    []string // for each callback success or a text; for those of judgedCases in words
}

// judgedCases are the cases whose right answer is told in words.
var judgedCases = map[string]func(t *testing.T, warnings string, answers []caseAnswer){
	"backslash-n": func(t *testing.T, warnings string, _ []caseAnswer) {
		for part, want := range map[string]int{"warning: ": 2, `rules.yaml:4:40: rule "plain": `: 1, `rules.yaml:7:28: rule "single": `: 1, `"double"`: 0} {
			if got := strings.Count(warnings, part); got != want {
				t.Errorf("%d times %q, want %d:\n%s", got, part, want, warnings)
			}
		}
	},
	"two-articles-for-a-word": func(t *testing.T, warnings string, answers []caseAnswer) {
		if !strings.Contains(warnings, `rules.yaml:8:13: rule "news": `) {
			t.Errorf("no warning:\n%s", warnings)
		}
		if got := answers[0]; got.MsgType != "news" || got.ArticleCount != 1 || !slices.Equal(got.Titles, []string{"a"}) {
			t.Errorf("got %+v, want a news reply with the first article", got)
		}
	},
}

func readCase(t *testing.T, path string) *ruleCase {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &ruleCase{}
	if err := json.Unmarshal(data, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// check checks the rules, sends the callbacks to a process that serves them, and compares.
func (c *ruleCase) check(t *testing.T, name string) {
	rules := testproc.File(t, "rules.yaml", c.Rules)
	code, _, warnings := testproc.Run(t, nil, "", "rules", "check", rules)
	if code != 0 {
		t.Fatalf("rules check: exit code %d\n%s", code, warnings)
	}
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WECHAT_MODE=plain", "WXGATE_RULES="+rules), "serve")
	url := "http://" + p.Addr("listen") + "/"
	var answers []caseAnswer
	var texts []string
	for i, callback := range c.Callbacks {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		body := strings.NewReplacer("@NOW@", now, "@ID@", now+strconv.Itoa(1000+i)).Replace(callback)
		answer := readAnswer(t, postPlain(t, url, strconv.Itoa(i), body))
		answers, texts = append(answers, answer), append(texts, answer.Content)
	}
	if judge := judgedCases[name]; judge != nil {
		judge(t, warnings, answers)
	} else if diff := cmp.Diff(c.Expect, texts); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// caseAnswer is an answer to a callback; of "success" the Content.
type caseAnswer struct {
	MsgType, Content string
	ArticleCount     int
	Titles           []string `xml:"Articles>item>Title"`
}

func readAnswer(t *testing.T, body string) (answer caseAnswer) {
	t.Helper()
	if body == wechat.Success {
		return caseAnswer{Content: body}
	}
	if err := xml.Unmarshal([]byte(body), &answer); err != nil {
		t.Errorf("%v:\n%s", err, body)
	}
	return answer
}

// playUnverifiedAccount: the account may not send customer-service messages, and its users read slow answers all the same:
// with their next message.
func playUnverifiedAccount(t *testing.T) {
	b, bot := startBot(t)
	wechat, api := testproc.Platform(t)
	wechat.SetFaults(fakewechat.Faults{APIErrors: map[int]float64{48001: 1}})
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WECHAT_API_URL="+api, "WXGATE_REPLY_TIMEOUT=700ms",
		"WXGATE_RULES="+slowRules(t, bot))...), "serve")
	s := testproc.SenderTo(p.Addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	told := testproc.Say(t, s, "text", "first")
	close(b.release)
	testproc.WaitFor(t, "the answer to be kept", func() bool {
		return strings.Contains(testproc.Get(t, http.DefaultClient, "http://"+p.Addr("internal-listen")+"/v1/deliveries"), "DELIVERY_STATE_KEPT")
	})
	if got := testproc.Say(t, s, "text", "second"); got != "bot: first" {
		t.Errorf("told %q at first, and the next message got %q, want the first answer", told, got)
	}
	if got := testproc.Say(t, s, "text", "third"); got != "bot: third" {
		t.Errorf("got %q, want the third answer", got)
	}
}

// playBadTokens: a token that holds what no token of the console can stops the start, in words.
func playBadTokens(t *testing.T) {
	for setting, want := range map[string]string{
		"WECHAT_TOKEN=abc\x20": "a space",
		`WECHAT_TOKEN="abc"`:   "quote",
		"WECHAT_TOKEN_FILE=" + testproc.File(t, "token", "\ufeffabc"): "a byte order mark",
	} {
		code, _, stderr := testproc.Run(t, testproc.Env(setting), "", "serve")
		if code == 0 || !strings.Contains(stderr, "WECHAT_TOKEN") || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit code %d, want another; %q is to name %s", setting, code, stderr, want)
		}
	}
}

// playTrailingSlash: a slash too many in the callback URL makes no difference.
func playTrailingSlash(t *testing.T) {
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WECHAT_MODE=plain"), "serve")
	base := "http://" + p.Addr("listen")
	stays := &http.Client{Timeout: testproc.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i, path := range []string{"/", "//", "/wechat/default", "/wechat/default/"} {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		query := "?timestamp=" + now + "&nonce=1&echostr=echo&signature=" + wechat.Signature(testproc.Token, now, "1")
		resp, err := stays.Get(base + path + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "echo" {
			t.Errorf("GET %s: status %d, %q, %v", path, resp.StatusCode, body, err)
		}
		text := strings.Replace(asXML("hello"), "<MsgId>1<", "<MsgId>"+strconv.Itoa(i+1)+"<", 1)
		if got := readAnswer(t, postPlain(t, base+path, "1", text)).Content; got != "hello" {
			t.Errorf("POST %s: got %q, want the answer", path, got)
		}
	}
}
