package service

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	wechatv1 "wxgate/proto/wechat/v1"
)

// TestShare: a message has all that another has, and what stands behind a pointer is the same.
func TestShare(t *testing.T) {
	text := &wechatv1.Text{Content: "hello"}
	from := &wechatv1.Message{Account: "shop", MsgId: 1, Content: &wechatv1.Message_Text{Text: text}, Extra: []*wechatv1.Element{{Name: "X"}}}
	from.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1})
	into := &wechatv1.Message{}
	share(into, from)
	if diff := cmp.Diff(from, into, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if into.GetText() != text {
		t.Error("the text was copied")
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
	conn, err := Connect(env, "replier", "", g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, stream); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}

func BenchmarkShare(b *testing.B) {
	from, err := structpb.NewStruct(map[string]any{"a": 1})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		share(&structpb.Struct{}, from)
	}
}
