package service

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/emptypb"
)

// handled returns the counter of calls that ended with a code, over all services of a registry.
func handled(t *testing.T, gatherer prometheus.Gatherer, labels map[string]string) float64 {
	t.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "grpc_server_handled_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			matching := 0
			for _, l := range m.GetLabel() {
				if labels[l.GetName()] == l.GetValue() {
					matching++
				}
			}
			if matching == len(labels) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// TestGRPCErrors: the caller sees code, message and reason, the log the cause, the metrics the code.
func TestGRPCErrors(t *testing.T) {
	const text = "the user's text"
	meta := map[string]string{"errcode": "40029"}
	internal := &errdetails.ErrorInfo{Reason: "INTERNAL", Domain: "wxgate"}
	for _, tt := range []struct {
		name  string
		call  func() error
		want  *status.Status
		info  *errdetails.ErrorInfo // nil: none
		level string
		cause string // a beginning; "": none
	}{
		{"OK", func() error { return nil }, status.New(codes.OK, ""), nil, "INFO", ""},
		{
			"reason and cause", func() error {
				return &RPCError{Code: codes.FailedPrecondition, Reason: "CODE_USED", Message: "the code was used", Metadata: meta, Cause: errors.New("private")}
			},
			status.New(codes.FailedPrecondition, "the code was used"),
			&errdetails.ErrorInfo{Reason: "CODE_USED", Domain: "wxgate", Metadata: meta}, "WARN", "private",
		},
		{
			"neither", func() error { return &RPCError{Code: codes.NotFound, Message: "none", Metadata: meta} },
			status.New(codes.NotFound, "none"), &errdetails.ErrorInfo{Reason: "NOT_FOUND", Domain: "wxgate", Metadata: meta}, "WARN", "",
		},
		{
			"a status", func() error { return status.Error(codes.Aborted, "again") },
			status.New(codes.Aborted, "again"), &errdetails.ErrorInfo{Reason: "ABORTED", Domain: "wxgate"}, "WARN", "",
		},
		{
			"an end of a context", func() error { return context.DeadlineExceeded },
			status.New(codes.DeadlineExceeded, "context deadline exceeded"), &errdetails.ErrorInfo{Reason: "DEADLINE_EXCEEDED", Domain: "wxgate"}, "WARN", "",
		},
		{
			"another error", func() error { return errors.New("odd") },
			status.New(codes.Unknown, "odd"), &errdetails.ErrorInfo{Reason: "UNKNOWN", Domain: "wxgate"}, "ERROR", "",
		},
		{"panic", func() error { panic(text) }, status.New(codes.Internal, "internal error"), internal, "ERROR", "panic: a string\n"},
		{"runtime panic", func() error { return []error{}[len(text)] }, status.New(codes.Internal, "internal error"), internal, "ERROR", "panic: runtime error: index out of range"},
	} {
		overBoth(t, func(t *testing.T, env Env, log *logBuffer, start func(func(context.Context) error) (Conn, func() error)) {
			conn, stop := start(func(context.Context) error { return tt.call() })
			got := status.Convert(invoke(t.Context(), conn))
			if got.Code() != tt.want.Code() || got.Message() != tt.want.Message() {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			var want []any
			if tt.info != nil {
				want = []any{tt.info}
			}
			if diff := cmp.Diff(want, got.Details(), protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
			line := log.line(t, "rpc")
			cause, _ := line["cause"].(string)
			if line["level"] != tt.level || line["code"] != tt.want.Code().String() || line["method"] != method ||
				(tt.cause == "") != (cause == "") || !strings.HasPrefix(cause, tt.cause) {
				t.Errorf("logged %v", line)
			}
			if strings.Contains(log.String(), text) {
				t.Errorf("the text is in the log: %s", log)
			}
			if n := handled(t, env.Gatherer, map[string]string{"grpc_method": "Call", "grpc_code": tt.want.Code().String()}); n != 1 {
				t.Errorf("counted %v times, want 1", n)
			}
			if err := stop(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// TestGRPCStreamPanic: a panic in a stream ends that stream only, without details.
func TestGRPCStreamPanic(t *testing.T) {
	env, _ := testEnv()
	conn, stop := startGRPC(t, env, func(context.Context) error { panic("the user's text") })
	for range 2 {
		s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, stream)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		err = s.RecvMsg(&emptypb.Empty{})
		if got := status.Convert(err); got.Code() != codes.Internal || got.Message() != "internal error" {
			t.Errorf("got %v", err)
		}
	}
	if n := handled(t, env.Gatherer, map[string]string{"grpc_method": "Stream", "grpc_code": "Internal"}); n != 2 {
		t.Errorf("counted %v times, want 2", n)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestLevelOfCode(t *testing.T) {
	errorCodes := map[codes.Code]bool{codes.Internal: true, codes.Unknown: true, codes.DataLoss: true, codes.Unimplemented: true}
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		want := "WARN"
		switch {
		case code == codes.OK:
			want = "INFO"
		case errorCodes[code]:
			want = "ERROR"
		}
		if got := levelOfCode(code).String(); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

// TestShave: a handler has less time than its caller, so that it can still say what failed.
func TestShave(t *testing.T) {
	for _, tt := range []struct{ caller, handler time.Duration }{
		{time.Minute, time.Minute - Margin},
		{4500 * time.Millisecond, 4400 * time.Millisecond},
		{time.Second, 900 * time.Millisecond},
		{100 * time.Millisecond, 90 * time.Millisecond},
		{-time.Second, -time.Second},
		{0, 0}, // none
	} {
		t.Run(tt.caller.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.caller != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.caller)
					defer cancel()
				}
				resp, err := shaveDeadline(ctx, nil, nil, func(ctx context.Context, _ any) (any, error) {
					deadline, ok := ctx.Deadline()
					if ok != (tt.caller != 0) || ok && time.Until(deadline) != tt.handler {
						t.Errorf("deadline %t in %v, want %v", ok, time.Until(deadline), tt.handler)
					}
					return "answer", errors.New("error")
				})
				if resp != "answer" || err == nil || err.Error() != "error" {
					t.Errorf("got %v, %v", resp, err)
				}
			})
		})
	}
}

// TestGRPCDeadline: the margin is taken off over the wire, too.
func TestGRPCDeadline(t *testing.T) {
	overBoth(t, func(t *testing.T, _ Env, _ *logBuffer, start func(func(context.Context) error) (Conn, func() error)) {
		left := make(chan time.Duration, 1)
		conn, stop := start(func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			left <- time.Until(deadline)
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := invoke(ctx, conn); err != nil {
			t.Fatal(err)
		}
		most := time.Minute - Margin
		if strings.HasSuffix(t.Name(), "process") {
			most = time.Minute
		}
		if got := <-left; got <= most-time.Second || got > most {
			t.Errorf("%v left, want up to %v", got, most)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// TestGRPCOver: a call ends with its caller's time or wish, and finds no method that is not there, nor a server that is gone.
func TestGRPCOver(t *testing.T) {
	overBoth(t, func(t *testing.T, _ Env, _ *logBuffer, start func(func(context.Context) error) (Conn, func() error)) {
		entered := make(chan struct{}, 1)
		conn, stop := start(func(ctx context.Context) error {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-ctx.Done()
			return ctx.Err()
		})
		soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := invoke(soon, conn); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("at the deadline: %v", err)
		}
		if err := invoke(soon, conn); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("after the deadline: %v", err)
		}
		select { // where the first call came so far
		case <-entered:
		default:
		}
		wished, cancel := context.WithCancel(t.Context())
		go func() { <-entered; cancel() }()
		if err := invoke(wished, conn); status.Code(err) != codes.Canceled {
			t.Errorf("given up: %v", err)
		}
		if err := conn.Invoke(t.Context(), "/test.v1.TestService/Other", &emptypb.Empty{}, &emptypb.Empty{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("another method: %v", err)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := invoke(t.Context(), conn); status.Code(err) != codes.Unavailable {
			t.Errorf("a server that is gone: %v", err)
		}
	})
}

// TestGRPCMetadata: the server has what the client sent, and sends it to nobody; the client gets header and trailer.
func TestGRPCMetadata(t *testing.T) {
	overBoth(t, func(t *testing.T, _ Env, log *logBuffer, start func(func(context.Context) error) (Conn, func() error)) {
		conn, stop := start(func(ctx context.Context) error {
			if got := metadata.ValueFromIncomingContext(ctx, "k"); !cmp.Equal(got, []string{"a", "b"}) {
				t.Errorf("got %q", got)
			}
			if sent, _ := metadata.FromOutgoingContext(ctx); len(sent) > 0 {
				t.Errorf("it sends on %v", sent)
			}
			if err := grpc.SetHeader(ctx, metadata.Pairs("h", "1")); err != nil {
				t.Error(err)
			}
			return grpc.SetTrailer(ctx, metadata.Pairs("t", "2"))
		})
		var header, trailer metadata.MD
		var reached peer.Peer
		ctx := metadata.AppendToOutgoingContext(t.Context(), "k", "a", "K", "b")
		if err := conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{}, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&reached)); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(header["h"], []string{"1"}) || !cmp.Equal(trailer["t"], []string{"2"}) {
			t.Errorf("header %v, trailer %v", header, trailer)
		}
		if reached.Addr == nil {
			t.Error("the client does not know whom it reached")
		}
		if peer := log.line(t, "rpc")["peer"]; peer != "127.0.0.1" && peer != "in-process" {
			t.Errorf("logged peer %v", peer)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// TestGRPCRequestID: a caller's id goes through, an odd one is replaced; health checks are logged for debugging only.
func TestGRPCRequestID(t *testing.T) {
	env, log := testEnv()
	seen := make(chan string, 1)
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.RegisterService(testService(func(ctx context.Context) error { seen <- RequestID(ctx); return nil }), nil)
	stop := serve(t, g)
	ours, err := Dial(env, "replier", "passthrough:///"+g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	near, err := Connect(env, "near", Target{Local: g})
	if err != nil {
		t.Fatal(err)
	}
	plain := dialPlain(t, g.Addr())
	inRequest, _ := withLine(t.Context(), "id-1", "")
	for _, tt := range []struct {
		name string
		ctx  context.Context
		conn grpc.ClientConnInterface
		want string // "": a new one
	}{
		{"in the process, in a request", inRequest, near, "id-1"},
		{"in the process, outside a request", t.Context(), near, ""},
		{"client in a request", inRequest, ours, "id-1"},
		{"client outside a request", t.Context(), ours, ""},
		{"foreign client", metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "id-2"), plain, "id-2"},
		{"foreign client, odd id", metadata.AppendToOutgoingContext(t.Context(), "x-request-id", `a" b`), plain, ""},
		{"foreign client, none", t.Context(), plain, ""},
	} {
		if err := invoke(tt.ctx, tt.conn); err != nil {
			t.Fatal(err)
		}
		got := <-seen
		if !validID(got) || tt.want != "" && got != tt.want {
			t.Errorf("%s: id %q, want %q", tt.name, got, tt.want)
		}
		lines := log.lines(t, "rpc")
		if tt.conn == near && tt.ctx == inRequest { // it is in the request's own line
			if len(lines) != 0 {
				t.Errorf("%s: logged %v", tt.name, lines)
			}
			continue
		}
		if logged := lines[len(lines)-1]["request_id"]; logged != got {
			t.Errorf("%s: logged %v, want %s", tt.name, logged, got)
		}
	}
	if _, err := healthv1.NewHealthClient(plain).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "/grpc.health.v1.Health/Check") && !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("health check logged as %s", line)
		}
	}
	if !strings.Contains(log.String(), "/grpc.health.v1.Health/Check") {
		t.Error("the health check is not logged")
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}
