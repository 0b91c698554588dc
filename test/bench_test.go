package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/gateway"
	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier"
	"wxgate/test/testproc"
)

// BenchmarkCallback is a text message that is answered in time, through a gateway and a replier: without a place where
// slow messages are stored, with one, and with one where a thousand wait. The three are the same: such a message touches
// nothing of it.
func BenchmarkCallback(b *testing.B) {
	for _, tt := range []struct {
		name    string
		durable bool
		waiting int
	}{{"WithoutStore", false, 0}, {"WithStore", true, 0}, {"WithStore1000Waiting", true, 1000}} {
		b.Run(tt.name, func(b *testing.B) { benchmarkCallback(b, tt.durable, tt.waiting) })
	}
}

func benchmarkCallback(b *testing.B, durable bool, waiting int) {
	env := service.NewEnv(slog.New(slog.NewJSONHandler(io.Discard, nil))) //nolint:sloglint // what it costs is measured
	var owed *backlog.Backlog
	servers := []service.Server{nil, nil}
	if durable {
		kept, err := store.Open(store.Config{Env: env, Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		owed = backlog.New(backlog.Config{Env: env, Store: kept, Size: 1 << 28})
		servers = append(servers, kept)
	}
	toReplier, err := replier.Config{Env: env.ForService("replier"), Listen: "127.0.0.1:0", Backlog: owed}.Complete()
	if err != nil {
		b.Fatal(err)
	}
	r, err := replier.New(toReplier)
	if err != nil {
		b.Fatal(err)
	}
	toGateway, err := gateway.Config{Env: env.ForService("gateway"), Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", Backlog: owed,
		Replier: service.Target{Local: r.GRPC()}, ReplyTimeout: 4500 * time.Millisecond, MaxSkew: time.Hour,
		Accounts: accounts.Source{List: []accounts.Account{{Name: "default", Token: testproc.Token, Mode: accounts.Plain, HasSecret: true}}}}.Complete()
	if err != nil {
		b.Fatal(err)
	}
	g, err := gateway.New(toGateway)
	if err != nil {
		b.Fatal(err)
	}
	servers[0], servers[1] = g, r
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx, env.Ready, servers...) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	for i := range waiting {
		msg := &wechatv1.Message{Account: "default", ToUserName: testproc.OriginalID, FromUserName: "oWaiting" + strconv.Itoa(i), MsgType: "text", MsgId: int64(i + 1)}
		if _, err := owed.Defer(ctx, msg, time.Now(), true, ""); err != nil {
			b.Fatal(err)
		}
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	url := "http://" + g.Addr().String() + "/?timestamp=" + timestamp + "&nonce=1&signature=" + wechat.Signature(testproc.Token, timestamp, "1")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)
	callback, err := sender.Compose(testproc.OriginalID, testproc.User, time.Now(), "text", "hello")
	if err != nil {
		b.Fatal(err)
	}
	at := bytes.LastIndex(callback, []byte("<MsgId>"))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		body := fmt.Appendf(callback[:at:at], "<MsgId>%d</MsgId></xml>", n+1) // each is a message of its own
		resp, err := client.Post(url, "text/xml", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !bytes.Contains(answer, []byte("<![CDATA[hello]]>")) {
			b.Fatalf("%s %s %v", resp.Status, answer, err)
		}
	}
}
