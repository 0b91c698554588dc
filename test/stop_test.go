package test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/test/testproc"
)

// bot is a ReplierService of somebody else's, which answers when it is told to.
type bot struct {
	replierv1.UnimplementedReplierServiceServer
	asked   chan struct{}
	release chan struct{}
}

func (b *bot) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	b.asked <- struct{}{}
	select {
	case <-b.release:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	text := &wechatv1.TextReply{Content: "bot: " + req.GetMessage().GetText().GetContent()}
	return &replierv1.ReplyResponse{Reply: &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: text}}}, nil
}

func startBot(t *testing.T) (*bot, string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bot{asked: make(chan struct{}, 16), release: make(chan struct{})}
	server := grpc.NewServer()
	replierv1.RegisterReplierServiceServer(server, b)
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	return b, lis.Addr().String()
}

// What is in flight at SIGTERM gets its answer: a callback, and a REST call.
func TestStopFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	b, addr := startBot(t)
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WXGATE_REPLIER="+addr), "gateway")
	s := testproc.SenderTo(p.Addr("listen"), "plain")
	internal := p.Addr("internal-listen")

	callback := make(chan string, 1)
	go func() { callback <- testproc.Say(t, s, "text", "in flight") }()
	rest := make(chan int, 1)
	go func() {
		body := bytes.NewBufferString(`{"message":{"msgType":"text","text":{"content":"in flight"}}}`)
		resp, err := http.Post("http://"+internal+"/v1/reply", "application/json", body)
		if err != nil {
			rest <- 0
			return
		}
		resp.Body.Close()
		rest <- resp.StatusCode
	}()
	<-b.asked
	<-b.asked
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	testproc.WaitFor(t, "the public address to close", func() bool {
		conn, err := net.DialTimeout("tcp", p.Addr("listen"), time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(b.release)
	if got := <-callback; got != "bot: in flight" {
		t.Errorf("the callback in flight got %q", got)
	}
	if got := <-rest; got != http.StatusOK {
		t.Errorf("the REST call in flight got status %d", got)
	}
	if code := p.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// An open health watch would hold a graceful stop for ever.
func TestStopDespiteHealthWatch(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(), "replier")
	conn, err := grpc.NewClient(p.Addr("replier-listen"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	watch, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		got, err := watch.Recv()
		if err != nil || got.GetStatus() != want {
			t.Fatalf("watch: %v, %v; want %v", got, err, want)
		}
		_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.Done:
	case <-time.After(2 * service.Grace):
		t.Fatal("still running after twice the grace period")
	}
}

func TestSecondSignalQuitsAtOnce(t *testing.T) {
	t.Parallel()
	b, addr := startBot(t)
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WXGATE_REPLIER="+addr), "gateway")
	s := testproc.SenderTo(p.Addr("listen"), "plain")
	callback, _ := composed(t, "text", "never answered")
	go func() { _, _ = s.Send(t.Context(), callback) }()
	<-b.asked
	_ = p.Cmd.Process.Signal(syscall.SIGINT)
	testproc.WaitFor(t, "the drain to begin", func() bool {
		conn, err := net.DialTimeout("tcp", p.Addr("listen"), time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	_ = p.Cmd.Process.Signal(syscall.SIGINT)
	if code := p.Wait(); code == 0 {
		t.Error("exit code 0; the callback in flight was not waited for")
	}
}

// A chat page that is open holds up nobody who stops.
func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(), "dev")
	resp, err := http.Get("http://" + p.Addr("fake-listen") + "/fake/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took >= service.Grace {
		t.Errorf("stopped after %s", took)
	}
}
