package test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestFindingsStandstillLosesNoAnswer: a bot answers in time, while the replier stands still until after the bot's time limit.
func TestFindingsStandstillLosesNoAnswer(t *testing.T) {
	t.Parallel()
	b, bot := startBot(t)
	wechat, api := platform(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  - {name: bot, match: {type: text}, forward: {to: \"passthrough:///"+bot+"\", timeout: 3s}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, env(append(accountEnv, "WECHAT_MODE=safe", "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_RULES="+rules)...), "serve")
	s := senderTo(p.addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	if got := say(t, s, "text", "slow"); got != "" {
		t.Fatalf("got %q, want success", got)
	}
	<-b.asked
	overdue := time.After(4 * time.Second)
	freeze(p)
	close(b.release)
	<-overdue
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	once(t, wechat, "bot: slow")
}
