package test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wxgate/test/testproc"
)

// TestFindingsStandstillLosesNoAnswer: a bot answers in time, while the replier stands still until after the bot's time limit.
func TestFindingsStandstillLosesNoAnswer(t *testing.T) {
	t.Parallel()
	b, bot := startBot(t)
	wechat, api := testproc.Platform(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  - {name: bot, match: {type: text}, forward: {to: \"passthrough:///"+bot+"\", timeout: 3s}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_RULES="+rules)...), "serve")
	s := testproc.SenderTo(p.Addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	if got := testproc.Say(t, s, "text", "slow"); got != "" {
		t.Fatalf("got %q, want success", got)
	}
	<-b.asked
	overdue := time.After(4 * time.Second)
	testproc.Freeze(p)
	close(b.release)
	<-overdue
	_ = p.Cmd.Process.Signal(syscall.SIGCONT)
	// A replier that stood still may ask the gateways first whether they answered, for up to 20 s.
	for end := time.Now().Add(3 * testproc.Patience); len(testproc.Pushed(wechat)) == 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	once(t, wechat, "bot: slow")
}
