package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	"wxgate/test/testproc"
)

// sleeper is a bot that answers nobody before it is released.
type sleeper struct {
	replierv1.UnimplementedReplierServiceServer
	asked   atomic.Int64
	release chan struct{}
}

func (s *sleeper) Reply(ctx context.Context, _ *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	s.asked.Add(1)
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return &replierv1.ReplyResponse{}, nil
}

// resident returns how much memory a process has, in bytes.
func resident(t *testing.T, p *testproc.Process) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestTenThousandWait: messages that wait for slow handlers cost little memory, while WeChat waits for them too and after
// it heard success, and do not keep others waiting: the times of these are told, not judged.
func TestTenThousandWait(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("reads a Linux process's memory, and takes half a minute")
	}
	const waiting, most = 10_000, 64 << 10
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bot := &sleeper{release: make(chan struct{})}
	server := grpc.NewServer()
	replierv1.RegisterReplierServiceServer(server, bot)
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	_, api := testproc.Platform(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(`
rules:
  - {name: fast, match: {text: fast}, reply: {text: fast}}
  - {name: slow, match: {type: text}, forward: {to: "passthrough:///`+lis.Addr().String()+`", timeout: 40s}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	// GOGC=50: garbage that a busy machine has not collected yet is not the cost of a message.
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=plain", "WECHAT_API_URL="+api, "WXGATE_DATA_DIR="+t.TempDir(), "WXGATE_RULES="+rules,
		"WXGATE_BOT_MEMORY=1024", "WXGATE_LOG_LEVEL=info",
		"GOGC=50")...), "serve")
	c := &caller{t: t, url: "http://" + p.Addr("listen") + "/", client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	defer c.client.CloseIdleConnections()

	c.fast(200)
	before := resident(t, p)
	alone := c.fast(200)
	var all sync.WaitGroup
	var late atomic.Int64
	for i := range waiting {
		all.Go(func() {
			if answer, _ := c.post("oWaiting"+strconv.Itoa(i), "slow"); answer != "success" {
				late.Add(1)
			}
		})
		if i%50 == 49 {
			time.Sleep(100 * time.Millisecond) // 500 a second
		}
	}
	busy := c.fast(200)
	connected := resident(t, p)
	all.Wait()
	if n := bot.asked.Load(); n != waiting || late.Load() != 0 {
		t.Errorf("the bot was asked %d times, %d messages got no success; want %d and 0", n, late.Load(), waiting)
	}
	beside := c.fast(200)
	after := resident(t, p)
	t.Logf("%d messages wait; a fast message's p50 and p99: alone %s %s, while they are deferred %s %s, beside them %s %s",
		waiting, alone[100], alone[198], busy[100], busy[198], beside[100], beside[198])
	t.Logf("memory: %d MiB before, %d while 2,000 connections wait too, %d after; %d bytes a message", before>>20, connected>>20, after>>20, (after-before)/waiting)
	if cost := (max(connected, after) - before) / waiting; cost > most {
		t.Errorf("a waiting message costs %d bytes, want at most %d", cost, most)
	}
	close(bot.release)
}

// caller sends signed callbacks in plain mode, each a message of its own.
type caller struct {
	t      *testing.T
	url    string
	client *http.Client
	n      atomic.Int64
}

// post sends a text and returns the answer.
func (c *caller) post(user, text string) (answer string, took time.Duration) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	n := strconv.FormatInt(c.n.Add(1), 10)
	url := c.url + "?timestamp=" + now + "&nonce=" + n + "&signature=" + wechat.Signature(testproc.Token, now, n)
	body := "<xml><ToUserName>" + testproc.OriginalID + "</ToUserName><FromUserName>" + user + "</FromUserName><CreateTime>" + now + "</CreateTime>" +
		"<MsgType>text</MsgType><Content>" + text + "</Content><MsgId>" + n + "</MsgId></xml>"
	begun := time.Now()
	for range 3 { // as WeChat does, where a busy machine could not store it in time
		if resp, err := c.client.Post(url, "text/xml", strings.NewReader(body)); err == nil {
			data, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			return string(data), time.Since(begun)
		}
	}
	return "", 0
}

// fast sends messages that are answered at once, 50 a second, and returns how long each took, sorted.
func (c *caller) fast(n int) []time.Duration {
	took := make([]time.Duration, n)
	for i := range took {
		var answer string
		if answer, took[i] = c.post(testproc.User, "fast"); !strings.Contains(answer, "<![CDATA[fast]]>") {
			c.t.Errorf("a fast message got %q", answer)
		}
		time.Sleep(20 * time.Millisecond)
	}
	slices.Sort(took)
	return took
}
