package test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// TestHoldThenAnswer: a bot that is slower than WeChat waits is asked once, and its answer goes to a later attempt.
func TestHoldThenAnswer(t *testing.T) {
	t.Parallel()
	b, addr := startBot(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  - {name: bot, forward: {to: \"passthrough:///"+addr+"\", timeout: 10s}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WXGATE_RULES="+rules, "WXGATE_REPLY_TIMEOUT=400ms"), "serve")
	s := testproc.SenderTo(p.Addr("listen"), "plain")
	s.Client = &http.Client{Timeout: 600 * time.Millisecond} // WeChat's patience, shorter
	callback, err := sender.Compose(testproc.OriginalID, testproc.User, time.Now(), "text", "slow")
	if err != nil {
		t.Fatal(err)
	}
	if result, err := s.Send(t.Context(), callback); err == nil {
		t.Fatalf("the first attempt was answered: %+v", result)
	}
	<-b.asked
	close(b.release)
	s.Client = nil
	result, err := s.Send(t.Context(), callback)
	if err != nil || len(result.Refused) > 0 {
		t.Fatal(result, err)
	}
	if want := (sender.Field{Name: "Content", Value: "bot: slow"}); !slices.Contains(result.Fields, want) {
		t.Errorf("got %v, want %v", result.Fields, want)
	}
	if len(b.asked) != 0 {
		t.Error("the bot was asked twice")
	}
}
