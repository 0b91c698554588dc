package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wxgate/fakewechat/sender"
)

// TestFindingsFullDisk: while the disk is full /readyz says so, and WeChat hears success for nothing that is not stored. With
// space again all goes on without a restart, also the answer to what was stored before.
func TestFindingsFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the store to find out")
	}
	t.Parallel()
	b, bot := startBot(t)
	wechat, api := platform(t)
	p := start(t, env(append(accountEnv, "WECHAT_MODE=safe", "WECHAT_APP_SECRET="+appSecret, "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(),
		"WXGATE_REPLY_TIMEOUT=700ms", "WXGATE_SLOW=push", "WXGATE_RULES="+slowRules(t, bot))...), "serve")
	s := senderTo(p.addr("listen"), "safe")
	s.BeforeSend = wechat.RecordCallback
	ready := func() string { return get(t, http.DefaultClient, "http://"+p.addr("internal-listen")+"/readyz") }

	if got := say(t, s, "text", "before"); got != "" {
		t.Errorf("got %q, want success", got)
	}
	p.limitFiles(1)
	meanwhile, err := sender.Compose(gh, user, time.Now(), "text", "meanwhile")
	if err != nil {
		t.Fatal(err)
	}
	attempt, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if result, err := s.Send(attempt, meanwhile); err == nil {
		t.Errorf("%q in answer to a message that cannot be stored; want none, so that WeChat sends it again", result.Fields)
	}
	waitFor(t, "/readyz to name the store", func() bool { return strings.Contains(ready(), "cannot write") })
	if metrics := get(t, http.DefaultClient, "http://"+p.addr("internal-listen")+"/metrics"); !strings.Contains(metrics, `wxgate_store_write_blocked{service="store"} 1`) {
		t.Error("no metric says that the store cannot write")
	}
	close(b.release)
	p.limitFiles(unix.RLIM_INFINITY)
	waitFor(t, "the answer to what was stored before", func() bool { return strings.Contains(strings.Join(pushed(wechat), "; "), "bot: before") })
	waitFor(t, "/readyz to name nothing", func() bool { return !strings.Contains(ready(), "cannot write") })
}

// limitFiles makes files beyond so many bytes impossible to the process, as a full disk does.
func (p *process) limitFiles(bytes uint64) {
	p.t.Helper()
	if err := limitFileSize(p.cmd.Process.Pid, bytes); err != nil {
		p.t.Fatal(err)
	}
}

// limitFileSize sets how large the files of a running process may become.
func limitFileSize(pid int, bytes uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
}
