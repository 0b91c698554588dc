package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// GRPC is a gRPC server with health and reflection, whose address is bound.
type GRPC struct {
	*grpc.Server
	log          *slog.Logger
	flag         string
	health       *health.Server
	lis          net.Listener
	guard        *Guard
	interceptors []grpc.UnaryServerInterceptor
	methods      map[string]grpc.UnaryHandler // for calls within the process, by full method name
	stopped      atomic.Bool
}

// connectionAge is how long a connection accepts new calls.
const connectionAge = 10 * time.Second

// streamWorkers is the number of goroutines that wait for calls. The stack of a new goroutine is too small for a call and
// would be copied as it grows. A call that finds no idle worker gets a new goroutine.
const streamWorkers = 32

// ResolveEvery is the least time between two DNS lookups of a target; gRPC's default is 30 s. It holds for the whole process
// and is set by the command line.
const ResolveEvery = 2 * time.Second

// Margin is the most that a server subtracts from its caller's deadline, so that it can still report a failure in time.
const Margin = 100 * time.Millisecond

// ListenGRPC binds addr, the value of the setting flag. Register services on the result, then call Serve. If env has a
// Guard, calls must pass it; health checks need no key.
func ListenGRPC(env Env, flag, addr string) (*GRPC, error) {
	lis, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	metrics := newCallMetrics("server", env.Registerer)
	recovered := recovery.WithRecoveryHandler(func(p any) error {
		return &RPCError{Code: codes.Internal, Message: "internal error", Cause: PanicError(p)}
	})
	g := &GRPC{log: env.Log, flag: flag, lis: lis, guard: env.Guard, health: health.NewServer(), methods: map[string]grpc.UnaryHandler{}}
	g.interceptors = []grpc.UnaryServerInterceptor{metrics.countServerCall, logUnary(env.Log), explainUnary,
		auth.UnaryServerInterceptor(env.Guard.authRPC), shaveDeadline, recovery.UnaryServerInterceptor(recovered)}
	g.Server = grpc.NewServer(
		grpc.Creds(env.Guard.transportCredentials()),
		grpc.ChainUnaryInterceptor(g.interceptors...),
		grpc.ChainStreamInterceptor(metrics.countServerStream, logStream(env.Log), explainStream,
			auth.StreamServerInterceptor(env.Guard.authRPC), recovery.StreamServerInterceptor(recovered)),
		// Clients look up the replicas of a name again when a connection ends, and so find new replicas. Calls in flight on
		// an old connection continue for as long as a bot may take.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: connectionAge, MaxConnectionAgeGrace: 90 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(5*time.Second),
		grpc.NumStreamWorkers(streamWorkers),
	)
	healthv1.RegisterHealthServer(g.Server, g.health)
	g.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	reflection.Register(g.Server)
	return g, nil
}

// Addr returns the bound address.
func (g *GRPC) Addr() net.Addr { return g.lis.Addr() }

// Close releases the address of a server that never served.
func (g *GRPC) Close() {
	g.Stop()
	_ = g.lis.Close()
}

// Serve serves until ctx ends. It then reports NOT_SERVING, and gives calls in flight the time of DrainContext: an open
// health watch would block a graceful stop for ever.
func (g *GRPC) Serve(ctx context.Context) error {
	logListening(g.log, g.flag, g.lis.Addr(), g.guard != nil)
	done := make(chan error, 1)
	go func() { done <- g.Server.Serve(loggedListener{g.lis, g.log}) }()
	g.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	select {
	case err := <-done:
		return fmt.Errorf("serve gRPC on %s: %w", g.lis.Addr(), err)
	case <-ctx.Done():
	}
	g.health.Shutdown()
	defer g.stopped.Store(true)
	inFlight, cancel := DrainContext(ctx)
	defer cancel()
	defer context.AfterFunc(inFlight, g.Stop)()
	g.GracefulStop()
	if err := <-done; !errors.Is(err, grpc.ErrServerStopped) { // it is ErrServerStopped if Serve was called after the stop
		return err
	}
	return nil
}

// shaveDeadline subtracts a margin from the caller's deadline. Calls within the process need none: their answer takes no time
// to travel.
func shaveDeadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if deadline, ok := ctx.Deadline(); ok && !isInProcess(ctx) {
		margin := min(Margin, time.Until(deadline)/10)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return handler(ctx, req)
}
