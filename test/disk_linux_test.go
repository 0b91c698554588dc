package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// TestFindingsFullDisk: while the disk is full /readyz says so, and WeChat hears success for nothing that is not stored. With
// space again all goes on without a restart, also the answer to what was stored before.
func TestFindingsFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the store to find out")
	}
	t.Parallel()
	b, bot := startBot(t)
	wechat, api := testproc.Platform(t)
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe", "WECHAT_APP_SECRET="+testproc.AppSecret, "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_SLOW=push", "WXGATE_RULES="+slowRules(t, bot))...), "serve")
	s := testproc.SenderTo(p.Addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	ready := func() string {
		return testproc.Get(t, http.DefaultClient, "http://"+p.Addr("internal-listen")+"/readyz")
	}

	if got := testproc.Say(t, s, "text", "before"); got != "" {
		t.Errorf("got %q, want success", got)
	}
	limitFiles(t, p, 1)
	meanwhile, err := sender.Compose(testproc.OriginalID, testproc.User, time.Now(), "text", "meanwhile")
	if err != nil {
		t.Fatal(err)
	}
	attempt, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if result, err := s.Send(attempt, meanwhile); err == nil {
		t.Errorf("%q in answer to a message that cannot be stored; want none, so that WeChat sends it again", result.Fields)
	}
	testproc.WaitFor(t, "/readyz to name the store", func() bool { return strings.Contains(ready(), "cannot write") })
	if metrics := testproc.Get(t, http.DefaultClient, "http://"+p.Addr("internal-listen")+"/metrics"); !strings.Contains(metrics, `wxgate_store_write_blocked{service="store"} 1`) {
		t.Error("no metric says that the store cannot write")
	}
	close(b.release)
	limitFiles(t, p, unix.RLIM_INFINITY)
	testproc.WaitFor(t, "the answer to what was stored before", func() bool { return strings.Contains(strings.Join(testproc.Pushed(wechat), "; "), "bot: before") })
	testproc.WaitFor(t, "/readyz to name nothing", func() bool { return !strings.Contains(ready(), "cannot write") })
}

// limitFiles makes files beyond so many bytes impossible to the process, as a full disk does.
func limitFiles(t *testing.T, p *testproc.Process, bytes uint64) {
	t.Helper()
	if err := testproc.LimitFileSize(p.Cmd.Process.Pid, bytes); err != nil {
		t.Fatal(err)
	}
}
