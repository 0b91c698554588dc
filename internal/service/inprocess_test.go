package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// TestShare: a message has all that another has, and what stands behind a pointer is the same.
func TestShare(t *testing.T) {
	text := &wechatv1.Text{Content: "hello"}
	from := &wechatv1.Message{Account: "shop", MsgId: 1, Content: &wechatv1.Message_Text{Text: text}, Extra: []*wechatv1.Element{{Name: "X"}}}
	from.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1})
	into := &wechatv1.Message{}
	shallowCopy(into, from)
	if diff := cmp.Diff(from, into, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if into.GetText() != text {
		t.Error("the text was copied")
	}
}

// TestLineJoins: what a call within the process has to say stands in the line of the request that made it.
func TestLineJoins(t *testing.T) {
	env, log := testEnv()
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var fails error
	g.RegisterService(testService(func(ctx context.Context) error {
		LineOf(ctx).Add(slog.String("account", "shop"), slog.String("rule", "hours"))
		return fails
	}), nil)
	conn, err := Connect(env, "replier", Target{Local: g})
	if err != nil {
		t.Fatal(err)
	}
	h := LogRequests(env.Log, false, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		LineOf(r.Context()).Add(slog.String("account", "shop"))
		_ = invoke(r.Context(), conn)
	}))
	for _, tt := range []struct {
		fails error
		level string
		group map[string]any
	}{
		{nil, "INFO", map[string]any{"rule": "hours"}},
		{&RPCError{Code: codes.NotFound, Message: "none", Cause: errors.New("private")}, "INFO", map[string]any{"rule": "hours", "code": "NotFound", "cause": "private"}},
	} {
		fails = tt.fails
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		lines := log.lines(t, "http")
		line := lines[len(lines)-1]
		if diff := cmp.Diff(tt.group, line["test"]); diff != "" || line["level"] != tt.level || line["account"] != "shop" {
			t.Errorf("logged %v (-want +got):\n%s", line, diff)
		}
	}
	if lines := log.lines(t, "rpc"); len(lines) != 0 {
		t.Errorf("logged besides: %v", lines)
	}
	ctx := DetachContext(t.Context()) // behind a request's end there is no such line
	_ = invoke(ctx, conn)
	if line := log.line(t, "rpc"); line["rule"] != "hours" || line["peer"] != "in-process" {
		t.Errorf("logged %v", line)
	}
}

// TestNoStreamInProcess: a stream is refused, and does not hang.
func TestNoStreamInProcess(t *testing.T) {
	env, _ := testEnv()
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	conn, err := Connect(env, "replier", Target{Local: g})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, stream); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}
