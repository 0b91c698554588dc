package test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/internal/store/storetest"
	"wxgate/test/testproc"
)

// saysRules answers all texts with one.
func saysRules(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte("rules:\n  - {name: says, match: {type: text}, reply: {text: "+text+"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReplicasComeAndGo: a gateway that runs finds a replier that was added to the name, and leaves one that died.
func TestReplicasComeAndGo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs all of 127.0.0.0/8")
	}
	first, second := netip.MustParseAddr("127.0.1.1"), netip.MustParseAddr("127.0.1.2")
	lis, err := net.Listen("tcp", first.String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = lis.Close()
	names := testproc.StartNameserver(t, map[string][]netip.Addr{"replier.test.": {first}})
	replier := func(at netip.Addr, text string) *testproc.Process {
		p := testproc.Start(t, testproc.Env("WXGATE_REPLIER_LISTEN="+net.JoinHostPort(at.String(), port), "WXGATE_RULES="+saysRules(t, text)), "replier")
		p.Addr("replier-listen")
		return p
	}
	a := replier(first, "first")
	gateway := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WXGATE_REPLIER="+names.Target("replier.test", port)), "gateway")
	s := testproc.SenderTo(gateway.Addr("listen"), "plain")
	users := func() map[string]int {
		got := map[string]int{}
		for i := range 20 {
			callback, err := sender.Compose(testproc.OriginalID, "oUser"+strconv.Itoa(i), time.Now(), "text", "hello")
			if err != nil {
				t.Fatal(err)
			}
			if result, err := s.Send(t.Context(), callback); err == nil && len(result.Fields) > 1 {
				got[result.Fields[1].Value]++
			}
		}
		return got
	}
	if got := users(); got["first"] != 20 {
		t.Errorf("with one replier: %v", got)
	}
	names.Set("replier.test.", first, second)
	replier(second, "second")
	testproc.WaitFor(t, "users at the second replier", func() bool { got := users(); return got["second"] > 0 && got["first"] > 0 })
	_ = a.Cmd.Process.Kill()
	names.Set("replier.test.", second)
	testproc.WaitFor(t, "all users at the second replier", func() bool { return users()["second"] == 20 })
}

// TestDeadline: with the settings as they are WeChat has its answer before it hangs up, whatever became of the replier:
// the sender waits as long as WeChat does.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, become := range map[string]func(*testproc.Process){
		"hangs":  nil, // its bot does
		"frozen": testproc.Freeze,
		"dead":   func(p *testproc.Process) { _ = p.Cmd.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, bot := startBot(t)
			defer close(b.release)
			wechat, api := testproc.Platform(t)
			gateway, replier := scaled(t, api, storetest.StartServer(t).URL(), "WXGATE_REPLY_TIMEOUT=")
			r := replier(bot)
			r.Addr("replier-listen")
			if become != nil {
				become(r)
			}
			s := testproc.SenderTo(gateway.Addr("listen"), "safe")
			s.BeforeSend = wechat.RecordCallback
			if got := testproc.Say(t, s, "text", "hello"); got != "" {
				t.Errorf("got %q, want success", got)
			}
		})
	}
}
