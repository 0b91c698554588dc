package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// metadataID is the key of RequestIDHeader in gRPC metadata.
var metadataID = strings.ToLower(RequestIDHeader)

// logUnary writes one line per call. A call within the process adds its attributes to the line of the request that made it.
func logUnary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		start := time.Now()
		caller := callerOf(ctx)
		ctx, line := withRPCLine(ctx, caller)
		resp, err := handler(ctx, req)
		if caller == nil || !line.mergeInto(caller, info.FullMethod, err) {
			line.writeRPC(ctx, log, info.FullMethod, err, start)
		}
		return resp, err
	}
}

// mergeInto adds this call's attributes to its caller's log line, grouped by the package name of the method. It reports false
// if that line is already written.
func (l *Line) mergeInto(caller *Line, method string, err error) bool {
	l.noteError(err)
	if err != nil {
		l.Add(slog.String("code", status.Code(err).String()))
	}
	group, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), ".")
	return caller.merge(group, l)
}

// noteError adds the private cause of a call's error, if it has one.
func (l *Line) noteError(err error) {
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

// callerOf returns the line of the request that makes a call within the process; nil if the call came from outside.
func callerOf(ctx context.Context) *Line {
	if !isInProcess(ctx) {
		return nil
	}
	return LineOf(ctx)
}

// withRPCLine begins the line of a call, with its caller's request id. caller is the result of callerOf.
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

// writeRPC ends the line of a call. Calls of health and reflection are logged at debug level, unless they are rejected as
// unauthenticated.
func (l *Line) writeRPC(ctx context.Context, log *slog.Logger, method string, err error, start time.Time) {
	code := status.Code(err)
	l.noteError(err)
	level := levelOfCode(code)
	if strings.HasPrefix(method, "/grpc.") && code != codes.Unauthenticated {
		level = slog.LevelDebug
	}
	l.writeTo(ctx, log, level, "rpc", slog.String("method", method), slog.String("code", code.String()), elapsedAttr(start))
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
