package service

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/types/known/emptypb"
)

// method is a call of the test service, stream a stream of it.
const method, stream = "/test.v1.TestService/Call", "/test.v1.TestService/Stream"

// testService is a service whose call and whose stream are a function.
func testService(call func(ctx context.Context) error) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "test.v1.TestService",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Call",
			Handler: func(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
				req := &emptypb.Empty{}
				if err := decode(req); err != nil {
					return nil, err
				}
				answer := func(ctx context.Context, _ any) (any, error) { return &emptypb.Empty{}, call(ctx) }
				if around == nil {
					return answer(ctx, req)
				}
				return around(ctx, req, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, answer)
			},
		}},
		Streams: []grpc.StreamDesc{{
			StreamName: "Stream", ServerStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error { return call(s.Context()) },
		}},
	}
}

// startGRPC serves call; stop ends the server and returns the error of Serve.
func startGRPC(t *testing.T, env Env, call func(ctx context.Context) error) (conn *grpc.ClientConn, stop func() error) {
	t.Helper()
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.RegisterService(testService(call), nil)
	return dialPlain(t, g.Addr()), serve(t, g)
}

// overBoth runs a test over the wire, and within the process. start is startGRPC, whose conn is the client of ours.
func overBoth(t *testing.T, test func(t *testing.T, env Env, log *logBuffer, start func(call func(ctx context.Context) error) (Conn, func() error))) {
	for _, over := range []string{"wire", "process"} {
		t.Run(over, func(t *testing.T) {
			env, log := testEnv()
			test(t, env, log, func(call func(ctx context.Context) error) (Conn, func() error) {
				g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				g.RegisterService(testService(call), nil)
				here := g
				if over == "wire" {
					here = nil
				}
				conn, err := Connect(env, "replier", Target{Addr: "passthrough:///" + g.Addr().String(), Local: here})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				return conn, serve(t, g)
			})
		})
	}
}

// dialPlain returns a client that adds nothing.
func dialPlain(t *testing.T, addr net.Addr) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func invoke(ctx context.Context, conn grpc.ClientConnInterface) error {
	return conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})
}

// TestGRPCHealth: SERVING while it serves, NOT_SERVING when it stops; a watch that stays open does not hold the stop
// longer than Grace.
func TestGRPCHealth(t *testing.T) {
	t.Parallel()
	env, _ := testEnv()
	conn, stop := startGRPC(t, env, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watch, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	next := func(want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for { // the first answer may be older than Serve
			got, err := watch.Recv()
			if err != nil {
				t.Fatalf("watching for %s: %v", want, err)
			}
			if got.GetStatus() == want {
				return
			}
		}
	}
	next(healthv1.HealthCheckResponse_SERVING)
	start := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	next(healthv1.HealthCheckResponse_NOT_SERVING)
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(start); took > Grace+3*time.Second {
		t.Errorf("stopped after %v, want at most %v", took, Grace)
	}
}

// TestGRPCDrains: a call in flight at the stop gets its answer.
func TestGRPCDrains(t *testing.T) {
	env, log := testEnv()
	entered, release := make(chan struct{}), make(chan struct{})
	conn, stop := startGRPC(t, env, func(context.Context) error { close(entered); <-release; return nil })
	answered, stopped := make(chan error, 1), make(chan error, 1)
	go func() { answered <- invoke(t.Context(), conn) }()
	<-entered
	addr := log.line(t, "listening")["addr"].(string)
	go func() { stopped <- stop() }()
	for { // until the server takes no more
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestGRPCStoppedEarly: a server that is told to stop before it serves stops, and gives its address back.
func TestGRPCStoppedEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		env, _ := testEnv()
		g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Serve(ctx); err != nil {
			t.Fatalf("Serve: %v", err)
		}
		lis, err := Listen("listen", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = lis.Close()
	}
}

func TestGRPCFails(t *testing.T) {
	env, _ := testEnv()
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	err = g.Serve(t.Context())
	if want := "serve gRPC on " + g.Addr().String() + ": "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// TestGRPCReflection: a client without our .proto files finds the services.
func TestGRPCReflection(t *testing.T) {
	env, _ := testEnv()
	conn, stop := startGRPC(t, env, nil)
	client, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = client.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Recv()
	if err != nil {
		t.Fatal(err)
	}
	_ = client.CloseSend()
	if _, err := client.Recv(); err == nil {
		t.Error("an answer to nothing")
	}
	var got []string
	for _, s := range resp.GetListServicesResponse().GetService() {
		got = append(got, s.GetName())
	}
	want := []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "test.v1.TestService"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestGRPCTwice: two servers and two clients share a registry and a log, and are told apart.
func TestGRPCTwice(t *testing.T) {
	env, log := testEnv()
	for _, name := range []string{"replier", "oauthsvc"} {
		conn, stop := startGRPC(t, env.ForService(name), func(context.Context) error { return nil })
		if err := invoke(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		client, err := Dial(env.ForService("gateway"), name, conn.CanonicalTarget())
		if err != nil {
			t.Fatal(err)
		}
		if err := invoke(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	for _, name := range []string{"replier", "oauthsvc"} {
		if n := handled(t, env.Gatherer, map[string]string{"service": name, "grpc_method": "Call", "grpc_code": "OK"}); n != 2 {
			t.Errorf("%s: counted %v calls, want 2", name, n)
		}
	}
	logged := map[any]int{}
	for _, line := range log.lines(t, "rpc") {
		logged[line["service"]]++
	}
	if diff := cmp.Diff(map[any]int{"replier": 2, "oauthsvc": 2}, logged); diff != "" {
		t.Errorf("lines of each service (-want +got):\n%s", diff)
	}
}
