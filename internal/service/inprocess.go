package service

import (
	"context"
	"net"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// RegisterService implements grpc.ServiceRegistrar.
func (g *GRPC) RegisterService(desc *grpc.ServiceDesc, service any) {
	g.Server.RegisterService(desc, service)
	for _, m := range desc.Methods {
		info := &grpc.UnaryServerInfo{Server: service, FullMethod: "/" + desc.ServiceName + "/" + m.MethodName}
		g.methods[info.FullMethod] = chainInterceptors(g.interceptors, info, func(ctx context.Context, req any) (any, error) {
			return m.Handler(service, ctx, func(into any) error { shallowCopy(into, req); return nil }, nil)
		})
	}
}

// chainInterceptors wraps a method in interceptors; the first one is outermost.
func chainInterceptors(interceptors []grpc.UnaryServerInterceptor, info *grpc.UnaryServerInfo, method grpc.UnaryHandler) grpc.UnaryHandler {
	for _, intercept := range slices.Backward(interceptors) {
		next := method
		method = func(ctx context.Context, req any) (any, error) { return intercept(ctx, req, info, next) }
	}
	return method
}

// Conn is a connection to a service.
type Conn interface {
	grpc.ClientConnInterface
	Close() error
}

// Connect returns a connection to a Local server or, as DialOwn does, to the Addr of target. A call within the process is a function call through the interceptors of both sides. Messages are not copied: neither side may change a
// message that it sent or received. There are no streams.
func Connect(env Env, name string, target Target) (Conn, error) {
	if target.Local != nil {
		p := &inProcess{server: target.Local, count: countCalls(env, name)}
		p.call = p.callMethod
		return p, nil
	}
	return DialOwn(env, name, target.Addr)
}

type inProcess struct {
	server *GRPC
	count  grpc.UnaryClientInterceptor
	call   grpc.UnaryInvoker // invoke
}

// Close implements Conn: nothing was opened.
func (p *inProcess) Close() error { return nil }

// NewStream implements grpc.ClientConnInterface.
func (p *inProcess) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no streams within a process")
}

// Invoke implements grpc.ClientConnInterface.
func (p *inProcess) Invoke(ctx context.Context, name string, req, resp any, opts ...grpc.CallOption) error {
	return p.count(ctx, name, req, resp, nil, p.call, opts...)
}

// callMethod is a grpc.UnaryInvoker. The method runs in the caller's goroutine: methods return when their context ends.
func (p *inProcess) callMethod(ctx context.Context, name string, req, resp any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
	method, known := p.server.methods[name]
	switch {
	case !known:
		return status.Error(codes.Unimplemented, "unknown method "+name)
	case p.server.stopped.Load():
		return status.Error(codes.Unavailable, "the server is stopped")
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	}
	stream := &localStream{method: name}
	answer, err := method(serverContext(ctx, stream), req)
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = stream.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = stream.trailer
		case grpc.PeerCallOption:
			*o.PeerAddr = *ownPeer
		}
	}
	switch {
	case err != nil:
		return asStatus(err).Err() // without its private cause
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	}
	shallowCopy(resp, answer)
	return nil
}

// serverContext returns the context that the server sees in a call.
func serverContext(ctx context.Context, stream *localStream) context.Context {
	sent, some := metadata.FromOutgoingContext(ctx)
	if some {
		ctx = metadata.NewOutgoingContext(ctx, nil) // the server's own calls must not send it on
	}
	if _, came := metadata.FromIncomingContext(ctx); came || some {
		ctx = metadata.NewIncomingContext(ctx, sent) // the method must not see what its caller's caller sent
	}
	ctx = peer.NewContext(ctx, ownPeer)
	return grpc.NewContextWithServerTransportStream(ctx, stream)
}

// shallowCopy sets the fields of a message to those of another. Messages that are sent often implement Share, which needs no
// reflection.
func shallowCopy(into, from any) {
	if m, ok := into.(interface{ Share(from any) }); ok {
		m.Share(from)
		return
	}
	to, is := into.(proto.Message).ProtoReflect(), from.(proto.Message).ProtoReflect()
	is.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(f, v)
		return true
	})
	to.SetUnknown(is.GetUnknown())
}

// isInProcess reports whether a call was made within this process.
func isInProcess(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	return ok && p == ownPeer
}

// ownPeerName is the name of ownPeer in the log.
const ownPeerName = "in-process"

// ownPeer is the peer of calls within the process.
var ownPeer = &peer.Peer{Addr: ownAddr{}}

type ownAddr struct{}

// Network implements net.Addr.
func (ownAddr) Network() string { return "in-process" }

// String implements net.Addr.
func (ownAddr) String() string { return ownPeerName }

var _ net.Addr = ownAddr{}

// localStream holds the header and trailer of a call within the process.
type localStream struct {
	method          string
	header, trailer metadata.MD
}

// Method implements grpc.ServerTransportStream.
func (s *localStream) Method() string { return s.method }

// SetHeader implements grpc.ServerTransportStream.
func (s *localStream) SetHeader(md metadata.MD) error {
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader implements grpc.ServerTransportStream.
func (s *localStream) SendHeader(md metadata.MD) error { return s.SetHeader(md) }

// SetTrailer implements grpc.ServerTransportStream.
func (s *localStream) SetTrailer(md metadata.MD) error {
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}
