package chaos

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// slowBot is somebody's ReplierService. A text "slow SECONDS …" is answered after that time with "re: " and the text, one of
// "slow SECONDS large KILOBYTES …" with a text of that size.
type slowBot struct {
	replierv1.UnimplementedReplierServiceServer
	mu    sync.Mutex
	asked map[string]int // by text
}

// startSlowBot serves a bot until the test ends.
func startSlowBot(t *testing.T) (b *slowBot, addr string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b = &slowBot{asked: map[string]int{}}
	server := grpc.NewServer()
	replierv1.RegisterReplierServiceServer(server, b)
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	return b, lis.Addr().String()
}

// Reply implements ReplierService.
func (b *slowBot) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	text := req.GetMessage().GetText().GetContent()
	var seconds float64
	if n, err := fmt.Sscanf(text, "slow %f ", &seconds); n != 1 {
		return nil, fmt.Errorf("no slow text: %w", err)
	}
	b.mu.Lock()
	b.asked[text]++
	b.mu.Unlock()
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	reply := &wechatv1.TextReply{Content: echo(text)}
	var kilobytes int
	if n, _ := fmt.Sscanf(text, "slow %f large %d ", &seconds, &kilobytes); n == 2 {
		reply.Content = strings.Repeat("x", kilobytes<<10)
	}
	return &replierv1.ReplyResponse{Reply: &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: reply}}}, nil
}

// again returns how many messages the bot was asked about more than once.
func (b *slowBot) again() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, times := range b.asked {
		if times > 1 {
			n++
		}
	}
	return n
}

// echo is what the rules and the bot answer to a text.
func echo(text string) string { return "re: " + text }
