package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// counted returns what a registry says of gRPC calls, but for health: "name service/method type code peer value" a line, of a
// histogram how many it has.
func counted(t *testing.T, env Env) []string {
	t.Helper()
	families, err := env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if !strings.HasPrefix(f.GetName(), "grpc_") || labels["grpc_service"] == "grpc.health.v1.Health" {
				continue
			}
			value := m.GetCounter().GetValue()
			if h := m.GetHistogram(); h != nil {
				value = float64(h.GetSampleCount())
			}
			line := fmt.Sprintf("%s %s/%s %s %s %s %v", f.GetName(), labels["grpc_service"], labels["grpc_method"], labels["grpc_type"], labels["grpc_code"], labels["peer"], value)
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	slices.Sort(lines)
	return lines
}

// TestCallMetrics: both sides count what began, what came and was sent, and what ended how, under the names and labels of
// go-grpc-middleware's provider: it counts these calls the same.
func TestCallMetrics(t *testing.T) {
	overBoth(t, func(t *testing.T, env Env, _ *logBuffer, start func(func(context.Context) error) (Conn, func() error)) {
		ends := []error{nil, nil, status.Error(codes.NotFound, "none"), context.DeadlineExceeded, errors.New("odd")}
		calls := 0
		conn, stop := start(func(context.Context) error { calls++; return ends[calls-1] })
		for range ends {
			_ = invoke(t.Context(), conn)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		const call = "test.v1.TestService/Call unary "
		want := []string{
			"grpc_client_handled_total " + call + "DeadlineExceeded replier 1",
			"grpc_client_handled_total " + call + "NotFound replier 1",
			"grpc_client_handled_total " + call + "OK replier 2",
			"grpc_client_handled_total " + call + "Unknown replier 1",
			"grpc_client_handling_seconds " + call + "replier 5",
			"grpc_client_msg_received_total " + call + "replier 2",
			"grpc_client_msg_sent_total " + call + "replier 5",
			"grpc_client_started_total " + call + "replier 5",
			"grpc_server_handled_total " + call + "DeadlineExceeded 1",
			"grpc_server_handled_total " + call + "NotFound 1",
			"grpc_server_handled_total " + call + "OK 2",
			"grpc_server_handled_total " + call + "Unknown 1",
			"grpc_server_handling_seconds " + call + "5",
			"grpc_server_msg_received_total " + call + "5",
			"grpc_server_msg_sent_total " + call + "2",
			"grpc_server_started_total " + call + "5",
		}
		if diff := cmp.Diff(want, counted(t, env)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestStreamMetrics: a server counts its streams, and the messages of each.
func TestStreamMetrics(t *testing.T) {
	env, _ := testEnv()
	conn, stop := startGRPC(t, env, nil)
	s, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.CloseSend()
	if _, err := s.Recv(); err == nil {
		t.Error("an answer to nothing")
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	const info = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo bidi_stream "
	want := []string{
		"grpc_server_handled_total " + info + "OK 1",
		"grpc_server_handling_seconds " + info + "1",
		"grpc_server_msg_received_total " + info + "3",
		"grpc_server_msg_sent_total " + info + "3",
		"grpc_server_started_total " + info + "1",
	}
	if diff := cmp.Diff(want, counted(t, env)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCallSeconds: how long a call took is counted in seconds.
func TestCallSeconds(t *testing.T) {
	env, _ := testEnv()
	m := newCallMetrics("server", env.Registerer).forMethod(method, "unary")
	m.countEnd(nil, time.Now().Add(-3*time.Second))
	families, err := env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "grpc_server_handling_seconds" {
			if sum := f.GetMetric()[0].GetHistogram().GetSampleSum(); sum < 3 || sum > 60 {
				t.Errorf("a call of 3 s took %v", sum)
			}
			return
		}
	}
	t.Error("not counted")
}

// TestStreamKinds: a stream is of the kind that its sides are.
func TestStreamKinds(t *testing.T) {
	for _, tt := range []struct {
		client, server bool
		want           string
	}{{false, true, "server_stream"}, {true, false, "client_stream"}, {true, true, "bidi_stream"}} {
		env, _ := testEnv()
		info := &grpc.StreamServerInfo{FullMethod: stream, IsClientStream: tt.client, IsServerStream: tt.server}
		if err := newCallMetrics("server", env.Registerer).countServerStream(nil, nil, info, func(any, grpc.ServerStream) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if want := "grpc_server_handled_total test.v1.TestService/Stream " + tt.want + " OK 1"; counted(t, env)[0] != want {
			t.Errorf("got %q, want %q", counted(t, env), want)
		}
	}
}
