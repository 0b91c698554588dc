package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
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
	log    *slog.Logger
	flag   string
	health *health.Server
	lis    net.Listener
}

// Margin is what a server takes off its caller's deadline, at most: with it, it can still say what failed.
const Margin = 100 * time.Millisecond

// ListenGRPC binds addr, the setting named flag. Register services on the result, then Serve.
func ListenGRPC(env Env, flag, addr string) (*GRPC, error) {
	lis, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	metrics := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram())
	env.Registerer.MustRegister(metrics)
	recovered := recovery.WithRecoveryHandler(func(p any) error {
		return NewError(codes.Internal, "", "internal error", nil, PanicError(p))
	})
	g := &GRPC{log: env.Log, flag: flag, lis: lis, health: health.NewServer(), Server: grpc.NewServer(
		grpc.ChainUnaryInterceptor(metrics.UnaryServerInterceptor(), logUnary(env.Log), shave,
			recovery.UnaryServerInterceptor(recovered)),
		grpc.ChainStreamInterceptor(metrics.StreamServerInterceptor(), recovery.StreamServerInterceptor(recovered)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(5*time.Second),
	)}
	healthv1.RegisterHealthServer(g.Server, g.health)
	g.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	reflection.Register(g.Server)
	return g, nil
}

// Addr returns the address that is bound.
func (g *GRPC) Addr() net.Addr { return g.lis.Addr() }

// Close gives the address back; for a server that never served.
func (g *GRPC) Close() { _ = g.lis.Close() }

// Serve serves until ctx ends. It then reports NOT_SERVING, and calls in flight have Grace to end: an open health
// watch would hold a graceful stop for ever.
func (g *GRPC) Serve(ctx context.Context) error {
	g.log.Info("listening", "flag", g.flag, "addr", g.lis.Addr().String())
	done := make(chan error, 1)
	go func() { done <- g.Server.Serve(g.lis) }()
	g.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	select {
	case err := <-done:
		return fmt.Errorf("serve gRPC on %s: %w", g.lis.Addr(), err)
	case <-ctx.Done():
	}
	g.health.Shutdown()
	timer := time.AfterFunc(Grace, g.Stop)
	defer timer.Stop()
	g.GracefulStop()
	if err := <-done; !errors.Is(err, grpc.ErrServerStopped) { // it was, before it began to serve
		return err
	}
	return nil
}

// NewError returns the error of a gRPC handler: the caller sees code, reason (with metadata, as google.rpc.ErrorInfo)
// and message; the log alone sees cause, which may be nil.
func NewError(code codes.Code, reason, message string, meta map[string]string, cause error) error {
	st := status.New(code, message)
	if reason != "" {
		info := &errdetails.ErrorInfo{Reason: reason, Domain: "wxgate", Metadata: meta}
		if detailed, err := st.WithDetails(info); err == nil {
			st = detailed
		}
	}
	return &grpcError{st, cause}
}

type grpcError struct {
	status *status.Status
	cause  error
}

func (e *grpcError) Error() string              { return e.status.Message() }
func (e *grpcError) GRPCStatus() *status.Status { return e.status }
func (e *grpcError) Unwrap() error              { return e.cause }

// metadataID is RequestIDHeader as gRPC metadata.
var metadataID = strings.ToLower(RequestIDHeader)

// logUnary writes one line per call; the answers to health checks are for debugging only.
func logUnary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		start := time.Now()
		id := ""
		if ids := metadata.ValueFromIncomingContext(ctx, metadataID); len(ids) > 0 {
			id = ids[0]
		}
		ctx, line := withLine(ctx, id)
		resp, err := handler(ctx, req)
		code := status.Code(err)
		var private *grpcError
		if errors.As(err, &private) && private.cause != nil {
			line.Add(slog.String("cause", private.cause.Error()))
		}
		level := levelOfCode(code)
		if strings.HasPrefix(info.FullMethod, "/grpc.") {
			level = slog.LevelDebug
		}
		line.write(ctx, log, level, "rpc", slog.String("method", info.FullMethod), slog.String("code", code.String()),
			took(start))
		return resp, err
	}
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

// shave takes a margin off the caller's deadline.
func shave(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if deadline, ok := ctx.Deadline(); ok {
		margin := min(Margin, time.Until(deadline)/10)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return handler(ctx, req)
}

// Dial returns a client of the service called name at a gRPC target ("dns:///replier:9001"), and reports in Ready
// where it is away. It connects in the background and finds a service that comes back within seconds.
func Dial(env Env, name, target string) (*grpc.ClientConn, error) {
	metrics := grpcprom.NewClientMetrics(grpcprom.WithClientHandlingTimeHistogram())
	prometheus.WrapRegistererWith(prometheus.Labels{"peer": name}, env.Registerer).MustRegister(metrics)
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(metrics.UnaryClientInterceptor(), sendID),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithIdleTimeout(0),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 2 * time.Second, Backoff: backoff.Config{
			BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second,
		}}),
	)
	if err != nil {
		return nil, fmt.Errorf("--%s: %q is no gRPC target such as dns:///%s:9001: %w", name, target, name, err)
	}
	conn.Connect()
	env.Ready.Check(name, func() error {
		switch s := conn.GetState(); s {
		case connectivity.TransientFailure, connectivity.Connecting:
			return errors.New(strings.ToLower(s.String()))
		}
		return nil
	})
	return conn, nil
}

// sendID hands the request's id on.
func sendID(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if id := RequestID(ctx); id != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, metadataID, id)
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}
