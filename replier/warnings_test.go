package replier

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/internal/backlog"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestFindingsManyWarnings: the warnings of a large file are summed up, in the log and at GetRules.
func TestFindingsManyWarnings(t *testing.T) {
	var b strings.Builder
	b.WriteString("rules:\n  - {name: all, silent: true}\n")
	const rules = 20_000
	for i := range rules {
		fmt.Fprintf(&b, "  - {name: rule %d, match: {text: word%d}, silent: true}\n", i, i)
	}
	r := startRules(t, b.String())
	resp, err := r.rules.GetRules(t.Context(), &replierv1.GetRulesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	warnings := resp.GetWarnings()
	if len(warnings) != 51 || warnings[50].GetText() != fmt.Sprintf("and %d more warnings", rules-50) {
		t.Errorf("%d warnings, the last %v", len(warnings), warnings[len(warnings)-1])
	}
	if lines := strings.Count(r.log.String(), `"warning"`); lines != 51 {
		t.Errorf("%d warnings in the log, want 51", lines)
	}
}

// TestFindingsFewerArticles: of a bot's articles the user gets those that WeChat shows, in time and late, and the log tells of the
// others.
func TestFindingsFewerArticles(t *testing.T) {
	r := startConfig(t, Config{Rules: write(t, t.TempDir(), "rules.yaml", "rules:\n  - {name: bot, forward: handler:bot}\n"),
		Handlers: map[string]Handler{"bot": replies(twoArticles, nil)}})
	want := &wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: twoArticles.GetNews().GetArticles()[:1]}}}
	if got := r.ask(t, text("a")); protojson.Format(got) != protojson.Format(want) {
		t.Errorf("got %v, want the first article", got)
	}
	if line := r.log.line(t); line["articles_left_out"] != 1.0 {
		t.Errorf("log line %v", line)
	}

	release := make(chan struct{})
	late := startSlow(t, "", store.Config{}, func(c *Config) {
		c.Handlers["bot"] = func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return twoArticles, nil
		}
	})
	msg := text("b")
	late.expect(t, msg, deferred)
	close(release)
	d := late.state(t, msg, backlog.Sent)
	if d.GetParts() != 1 || late.mailbox.calls() != 1 {
		t.Errorf("%d messages were sent: %v", late.mailbox.calls(), d)
	}
	for end := time.Now().Add(patience); !strings.Contains(late.log.String(), `"articles_left_out":1`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log does not tell of the other article")
		}
	}
}
