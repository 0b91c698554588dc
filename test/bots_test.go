package test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/test/testproc"
)

// TestFindingsBotsHaveTheWholeMinute asks bots that were written without a thought of gRPC's keepalive: their libraries
// close connections that are pinged often, and one that computes in its only thread answers no ping.
func TestFindingsBotsHaveTheWholeMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	// All calls to a bot run at once, and are of different users: nobody pays for another's call. Each begins when the bot
	// has got the one before, and what is busy comes last.
	long, busy := []string{"wait 55", "wait 5"}, []string{"wait 55", "wait 20", "busy 17"}
	var all sync.WaitGroup // at once: with t.Parallel, a machine with two cores would take minutes
	defer all.Wait()
	for _, tt := range []struct {
		name  string
		start func(t *testing.T) defaultBot
		texts []string
	}{
		{"Go", defaultGoBot, long},
		{"Python", func(t *testing.T) defaultBot { return defaultPythonBot(t, "threads") }, long},
		{"Python, asyncio", func(t *testing.T) defaultBot { return defaultPythonBot(t, "asyncio") }, busy},
		{"Node", defaultNodeBot, busy},
	} {
		all.Go(func() {
			t.Run(tt.name, func(t *testing.T) { askAtOnce(t, tt.start(t), tt.texts) })
		})
	}
}

// defaultBot is a bot that runs with the defaults of its library.
type defaultBot struct {
	target string
	got    func(text string) bool // reports whether a call with this text has begun
}

const botAnswer = "at last"

// botResponse returns what bots answer.
func botResponse() *replierv1.ReplyResponse {
	text := &wechatv1.TextReply{Content: botAnswer}
	return &replierv1.ReplyResponse{Reply: &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: text}}}
}

// forwarder returns a replier that forwards all messages to a bot.
func forwarder(t *testing.T, bot string) replierv1.ReplierServiceClient {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	source := fmt.Sprintf("rules:\n  - name: bot\n    forward: {to: %q, timeout: 60s}\n", "dns:///"+bot)
	if err := os.WriteFile(rules, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	replier := testproc.Start(t, testproc.Env("WXGATE_RULES="+rules), "replier")
	conn, err := grpc.NewClient(replier.Addr("replier-listen"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return replierv1.NewReplierServiceClient(conn)
}

// askAtOnce has a bot asked by different users at the same time, with a minute for each.
func askAtOnce(t *testing.T, bot defaultBot, texts []string) {
	t.Helper()
	replier := forwarder(t, bot.target)
	errs := make(chan error, len(texts))
	for i, text := range texts {
		msg := &wechatv1.Message{FromUserName: fmt.Sprintf("user-%d", i), MsgId: int64(i + 1), MsgType: "text",
			Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: text}}}
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			resp, err := replier.Reply(ctx, &replierv1.ReplyRequest{Message: msg}, grpc.WaitForReady(true))
			if got := resp.GetReply().GetText().GetContent(); err == nil && got != botAnswer {
				err = fmt.Errorf("got %q", got)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", text, err)
			}
			errs <- err
		}()
		testproc.WaitFor(t, "the bot to get "+text, func() bool { return bot.got(text) })
	}
	for range texts {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// sleepyBot answers "wait N" after N seconds.
type sleepyBot struct {
	replierv1.UnimplementedReplierServiceServer
	texts sync.Map
}

func (b *sleepyBot) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	text := req.GetMessage().GetText().GetContent()
	b.texts.Store(text, true)
	var seconds int
	if _, err := fmt.Sscanf(text, "wait %d", &seconds); err != nil {
		return nil, err
	}
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
		return botResponse(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func defaultGoBot(t *testing.T) defaultBot {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, bot := grpc.NewServer(), &sleepyBot{}
	replierv1.RegisterReplierServiceServer(server, bot)
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	return defaultBot{lis.Addr().String(), func(text string) bool { _, ok := bot.texts.Load(text); return ok }}
}

func defaultPythonBot(t *testing.T, kind string) defaultBot {
	t.Helper()
	return startDefaultBot(t, exec.Command(pythonWithGRPC(t), "default_bot.py", kind, botResponseInHex(t)))
}

func defaultNodeBot(t *testing.T) defaultBot {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, "default_bot.js", dir)
	installNodePackages(t, dir)
	cmd := exec.Command("node", "default_bot.js", botResponseInHex(t))
	cmd.Dir = dir
	return startDefaultBot(t, cmd)
}

func startDefaultBot(t *testing.T, cmd *exec.Cmd) defaultBot {
	t.Helper()
	p := testproc.StartProgram(t, cmd)
	return defaultBot{p.Addr("listen"), func(text string) bool { return strings.Contains(p.Logged(), "got "+text+"\n") }}
}

func botResponseInHex(t *testing.T) string {
	t.Helper()
	data, err := proto.Marshal(botResponse())
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(data)
}
