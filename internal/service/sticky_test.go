package service

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
)

// TestSticky: calls of one key meet one replica, those of many are spread, and where a replica dies another takes over.
func TestSticky(t *testing.T) {
	replicas := manual.NewBuilderWithScheme("sticky")
	resolver.Register(replicas)
	servers := map[string]*grpc.Server{}
	var state resolver.State
	for range 3 {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		healthv1.RegisterHealthServer(s, healthv1.UnimplementedHealthServer{})
		go func() { _ = s.Serve(lis) }()
		t.Cleanup(s.Stop)
		servers[lis.Addr().String()] = s
		state.Addresses = append(state.Addresses, resolver.Address{Addr: lis.Addr().String()})
	}
	replicas.InitialState(state)
	conn, err := DialOwn(NewEnv(slog.New(slog.DiscardHandler)), "replier", "sticky:///replier")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(user string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for ctx.Err() == nil { // a call may be cut off as its replica dies
			var p peer.Peer
			_, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true), grpc.Peer(&p), Sticky("shop", user))
			if status.Code(err) == codes.Unimplemented { // the answer of these servers
				return p.Addr.String()
			}
		}
		t.Fatal("no replica answered")
		return ""
	}
	met := map[string]int{}
	first := map[string]string{}
	for i := range 60 {
		user := fmt.Sprintf("user %d", i)
		first[user] = call(user)
		met[first[user]]++
	}
	if len(met) != 3 {
		t.Errorf("60 users met %v; want all 3 replicas", met)
	}
	for user, replica := range first {
		if again := call(user); again != replica {
			t.Errorf("%s met %s, then %s", user, replica, again)
		}
	}
	servers[first["user 0"]].Stop()
	for user, replica := range first {
		switch again := call(user); {
		case replica == first["user 0"] && again == replica:
			t.Errorf("%s met a replica that is gone", user)
		case replica != first["user 0"] && again != replica:
			t.Errorf("%s was moved from %s to %s", user, replica, again)
		}
	}
}

// TestDrained: a replica that says it serves no more gets no calls, before it is gone.
func TestDrained(t *testing.T) {
	replicas := manual.NewBuilderWithScheme("drained")
	resolver.Register(replicas)
	healths := map[string]*health.Server{}
	var state resolver.State
	for range 2 {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s, h := grpc.NewServer(), health.NewServer()
		healthv1.RegisterHealthServer(s, h)
		go func() { _ = s.Serve(lis) }()
		t.Cleanup(s.Stop)
		healths[lis.Addr().String()] = h
		state.Addresses = append(state.Addresses, resolver.Address{Addr: lis.Addr().String()})
	}
	replicas.InitialState(state)
	conn, err := DialOwn(NewEnv(slog.New(slog.DiscardHandler)), "replier", "drained:///replier")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var p peer.Peer
		if _, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true), grpc.Peer(&p), Sticky("shop", "user")); err != nil {
			t.Fatal(err)
		}
		return p.Addr.String()
	}
	first := call()
	healths[first].SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	for end := time.Now().Add(10 * time.Second); call() == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it still gets calls")
		}
	}
	healths[first].SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	for end := time.Now().Add(10 * time.Second); call() != first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it gets no calls again")
		}
	}
}
