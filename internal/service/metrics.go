package service

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// callMetrics counts the gRPC calls of one side, under the metric names of go-grpc-middleware's provider, which dashboards know.
// That provider looks up each counter by its labels in each call; callMetrics does so once for each method.
type callMetrics struct {
	started, received, sent, handled *prometheus.CounterVec
	seconds                          *prometheus.HistogramVec

	mu      sync.RWMutex
	methods map[string]*methodMetrics // by full name; only methods that were called
}

// newCallMetrics returns the metrics of a side, "server" or "client".
func newCallMetrics(side string, registerer prometheus.Registerer) *callMetrics {
	labels := []string{"grpc_type", "grpc_service", "grpc_method"}
	counter := func(what, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "grpc_" + side + "_" + what + "_total", Help: help}, append(labels, more...))
	}
	c := &callMetrics{
		started:  counter("started", "Calls started."),
		received: counter("msg_received", "Messages received (one per unary call)."),
		sent:     counter("msg_sent", "Messages sent (one per unary call)."),
		handled:  counter("handled", "Calls completed, by status code.", "grpc_code"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grpc_" + side + "_handling_seconds", Help: "Time from the start to the end of a call, in seconds.", Buckets: prometheus.DefBuckets,
		}, labels),
		methods: map[string]*methodMetrics{},
	}
	registerOnce(registerer, &c.started)
	registerOnce(registerer, &c.received)
	registerOnce(registerer, &c.sent)
	registerOnce(registerer, &c.handled)
	registerOnce(registerer, &c.seconds)
	return c
}

// registerOnce registers a collector, or sets it to the one that is registered already: if a connection is closed and opened
// again, its counters continue.
func registerOnce[T prometheus.Collector](registerer prometheus.Registerer, collector *T) {
	err := registerer.Register(*collector)
	if before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := before.ExistingCollector.(T); ok {
			*collector, err = same, nil
		}
	}
	if err != nil {
		panic(err)
	}
}

// methodMetrics counts the calls of one method.
type methodMetrics struct {
	started, received, sent, ok prometheus.Counter
	handled                     *prometheus.CounterVec // by code
	seconds                     prometheus.Observer
}

// forMethod returns the metrics of a method, by its full name.
func (c *callMetrics) forMethod(name, kind string) *methodMetrics {
	c.mu.RLock()
	m := c.methods[name]
	c.mu.RUnlock()
	if m != nil {
		return m
	}
	service, method, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	handled := c.handled.MustCurryWith(prometheus.Labels{"grpc_type": kind, "grpc_service": service, "grpc_method": method})
	m = &methodMetrics{
		c.started.WithLabelValues(kind, service, method), c.received.WithLabelValues(kind, service, method), c.sent.WithLabelValues(kind, service, method),
		handled.WithLabelValues(codes.OK.String()), handled, c.seconds.WithLabelValues(kind, service, method),
	}
	c.methods[name] = m
	return m
}

// countEnd counts the end of a call.
func (m *methodMetrics) countEnd(err error, start time.Time) {
	if err == nil {
		m.ok.Inc()
	} else {
		m.handled.WithLabelValues(asStatus(err).Code().String()).Inc()
	}
	m.seconds.Observe(time.Since(start).Seconds())
}

// asStatus returns the status that a gRPC server sends for an error.
func asStatus(err error) *status.Status {
	if s, ok := status.FromError(err); ok {
		return s
	}
	return status.FromContextError(err)
}

// countServerCall counts a server's calls.
func (c *callMetrics) countServerCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	start, m := time.Now(), c.forMethod(info.FullMethod, "unary")
	m.started.Inc()
	m.received.Inc()
	resp, err := handler(ctx, req)
	if err == nil {
		m.sent.Inc()
	}
	m.countEnd(err, start)
	return resp, err
}

// countClientCall counts a client's calls.
func (c *callMetrics) countClientCall(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	start, m := time.Now(), c.forMethod(method, "unary")
	m.started.Inc()
	m.sent.Inc()
	err := invoke(ctx, method, req, reply, conn, opts...)
	if err == nil {
		m.received.Inc()
	}
	m.countEnd(err, start)
	return err
}

// countServerStream counts a server's streams.
func (c *callMetrics) countServerStream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	kind := "bidi_stream"
	switch {
	case !info.IsClientStream:
		kind = "server_stream"
	case !info.IsServerStream:
		kind = "client_stream"
	}
	start, m := time.Now(), c.forMethod(info.FullMethod, kind)
	m.started.Inc()
	err := handler(srv, &countedStream{s, m})
	m.countEnd(err, start)
	return err
}

// countedStream counts the messages of a stream.
type countedStream struct {
	grpc.ServerStream
	method *methodMetrics
}

// RecvMsg implements grpc.ServerStream.
func (s *countedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.method.received.Inc()
	}
	return err
}

// SendMsg implements grpc.ServerStream.
func (s *countedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.method.sent.Inc()
	}
	return err
}
