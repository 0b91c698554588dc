package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// GRPC is a bound gRPC server with health and reflection.
type GRPC struct {
	*grpc.Server
	log          *slog.Logger
	flag         string
	health       *health.Server
	lis          net.Listener
	guard        *Guard
	interceptors []grpc.UnaryServerInterceptor
	methods      map[string]grpc.UnaryHandler // for calls within the process, by full name
	stopped      atomic.Bool
}

// connectionAge is how long a connection takes new calls.
const connectionAge = 10 * time.Second

// streamWorkers are goroutines that take calls. The stack of a new one is too small for a call, and would be copied as it
// grows; a call that finds no worker idle gets one nevertheless.
const streamWorkers = 32

// ResolveEvery is how often a name may be looked up. gRPC's own is every 30 s; it is set for the whole process, by main.
const ResolveEvery = 2 * time.Second

// Margin is what a server takes off its caller's deadline, at most: with it, it can still say what failed.
const Margin = 100 * time.Millisecond

// ListenGRPC binds addr, the setting named flag. Register services on the result, then Serve. Where env has a Guard,
// only those it lets in are heard; health wants no key.
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
	g.interceptors = []grpc.UnaryServerInterceptor{metrics.server, logUnary(env.Log), explainUnary,
		auth.UnaryServerInterceptor(env.Guard.admit), shave, recovery.UnaryServerInterceptor(recovered)}
	g.Server = grpc.NewServer(
		grpc.Creds(env.Guard.credentials()),
		grpc.ChainUnaryInterceptor(g.interceptors...),
		grpc.ChainStreamInterceptor(metrics.stream, logStream(env.Log), explainStream,
			auth.StreamServerInterceptor(env.Guard.admit), recovery.StreamServerInterceptor(recovered)),
		// Clients look up the replicas of a name anew when a connection ends: so they find those that were added. What is
		// under way on an old connection goes on for as long as a bot may take.
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

// Addr returns the address that is bound.
func (g *GRPC) Addr() net.Addr { return g.lis.Addr() }

// Close gives the address back; for a server that never served.
func (g *GRPC) Close() {
	g.Stop()
	_ = g.lis.Close()
}

// Serve serves until ctx ends. It then reports NOT_SERVING, and calls in flight have the time of Drain: an open health
// watch would hold a graceful stop for ever.
func (g *GRPC) Serve(ctx context.Context) error {
	listening(g.log, g.flag, g.lis.Addr(), g.guard != nil)
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
	inFlight, cancel := Drain(ctx)
	defer cancel()
	defer context.AfterFunc(inFlight, g.Stop)()
	g.GracefulStop()
	if err := <-done; !errors.Is(err, grpc.ErrServerStopped) { // it was, before it began to serve
		return err
	}
	return nil
}

// metadataID is RequestIDHeader as gRPC metadata.
var metadataID = strings.ToLower(RequestIDHeader)

// logUnary writes one line per call. What a call within the process has to say joins the line of the request that made it.
func logUnary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		start := time.Now()
		caller := callerOf(ctx)
		ctx, line := withRPCLine(ctx, caller)
		resp, err := handler(ctx, req)
		if caller == nil || !line.join(caller, info.FullMethod, err) {
			line.writeRPC(ctx, log, info.FullMethod, err, start)
		}
		return resp, err
	}
}

// join puts what a call has to say into its caller's line, in a group that is named as the package of its method; false
// where that line has ended.
func (l *Line) join(caller *Line, method string, err error) bool {
	l.ends(err)
	if err != nil {
		l.Add(slog.String("code", status.Code(err).String()))
	}
	group, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), ".")
	return caller.merge(group, l)
}

// ends notes the private cause of a call's error.
func (l *Line) ends(err error) {
	if err == nil {
		return
	}
	var private *RPCError
	if errors.As(err, &private) && private.Cause != nil {
		l.Add(slog.String("cause", private.Cause.Error()))
	}
}

// logStream writes one line per stream, at its end.
func logStream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		start := time.Now()
		ctx, line := withRPCLine(s.Context(), nil)
		wrapped := middleware.WrapServerStream(s)
		wrapped.WrappedContext = ctx
		err := handler(srv, wrapped)
		line.writeRPC(ctx, log, info.FullMethod, err, start)
		return err
	}
}

// callerOf returns the line of the request that makes a call within the process; nil where the call came from outside.
func callerOf(ctx context.Context) *Line {
	if !within(ctx) {
		return nil
	}
	return LineOf(ctx)
}

// withRPCLine begins the line of a call, with its caller's request id. caller is as callerOf says.
func withRPCLine(ctx context.Context, caller *Line) (context.Context, *Line) {
	id := ""
	if caller != nil {
		return withLine(ctx, caller.id, ownPeerName)
	}
	if ids := metadata.ValueFromIncomingContext(ctx, metadataID); len(ids) > 0 {
		id = ids[0]
	}
	return withLine(ctx, id, peerOf(ctx))
}

// writeRPC ends the line of a call. Health and reflection are for debugging only, unless somebody is refused.
func (l *Line) writeRPC(ctx context.Context, log *slog.Logger, method string, err error, start time.Time) {
	code := status.Code(err)
	l.ends(err)
	level := levelOfCode(code)
	if strings.HasPrefix(method, "/grpc.") && code != codes.Unauthenticated {
		level = slog.LevelDebug
	}
	l.write(ctx, log, level, "rpc", slog.String("method", method), slog.String("code", code.String()), took(start))
}

func levelOfCode(code codes.Code) slog.Level {
	switch code {
	case codes.OK:
		return slog.LevelInfo
	case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unimplemented:
		return slog.LevelError
	}
	return slog.LevelWarn
}

// shave takes a margin off the caller's deadline. Within the process no answer is under way.
func shave(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if deadline, ok := ctx.Deadline(); ok && !within(ctx) {
		margin := min(Margin, time.Until(deadline)/10)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return handler(ctx, req)
}
