package service

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	_ "google.golang.org/grpc/balancer/ringhash" // for DialOwn
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// ownKeepalive finds a replica of ours that stands still. Our servers allow such pings (see ListenGRPC).
var ownKeepalive = keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}

// foreignKeepalive is for servers with the defaults of their libraries: in Go, C++ and Python they allow a ping each five
// minutes, also while calls run, and close the connection with all its calls after the third that comes sooner. No call
// takes as long, so none is ever pinged. Timeout counts all the same: on Linux, a host that acknowledges nothing for so
// long loses its connection (TCP_USER_TIMEOUT). The system acknowledges for a bot that computes.
var foreignKeepalive = keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}

// DialOwn is Dial for a service of ours: the client shows the key and the certificate of env's Guard. Calls made with
// one key of Sticky meet the same replica, as long as it is there and says that it serves.
func DialOwn(env Env, name, target string) (*grpc.ClientConn, error) {
	conn, err := dial(env, name, target, append(env.Guard.dialOptions(),
		grpc.WithKeepaliveParams(ownKeepalive),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"ring_hash_experimental":{"requestHashHeader":"`+stickyHeader+`"}}],`+
			`"healthCheckConfig":{"serviceName":""}}`))...)
	if err == nil {
		go knock(conn)
	}
	return conn, err
}

// stickyHeader is gRPC metadata by which a replica is chosen.
const stickyHeader = "wxgate-sticky"

// Sticky is the option of a call that is for the replica of a key, which has two parts; the key itself is not sent.
func Sticky(first, second string) grpc.CallOption { return sticky{key: [2]string{first, second}} }

type sticky struct {
	grpc.EmptyCallOption
	key [2]string
}

// hash tells keys apart, and tells nothing of them.
func (s sticky) hash() string {
	h := fnv.New64a()
	for _, part := range s.key {
		_, _ = h.Write([]byte(part)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Dial returns a client of the service called name at a gRPC target ("dns:///replier:9001"), and reports in Ready
// where it is away. It connects in the background and finds a service that comes back within seconds. The service may
// be anybody's: it is shown neither key nor certificate.
func Dial(env Env, name, target string) (*grpc.ClientConn, error) {
	return dial(env, name, target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(foreignKeepalive))
}

func dial(env Env, name, target string, own ...grpc.DialOption) (*grpc.ClientConn, error) {
	if err := CheckTarget(target); err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithChainUnaryInterceptor(countCalls(env, name), sendAlong),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 2 * time.Second, Backoff: backoff.Config{
			BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second,
		}}),
	}, own...)...)
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

// countCalls counts the calls of a client.
func countCalls(env Env, name string) grpc.UnaryClientInterceptor {
	return newCallMetrics("client", prometheus.WrapRegistererWith(prometheus.Labels{"peer": name}, env.Registerer)).client
}

// sendAlong sends the request's id, and what the replica of a call is chosen by.
func sendAlong(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var room [4]string
	along := room[:0]
	if id := RequestID(ctx); id != "" {
		along = append(along, metadataID, id)
	}
	for _, o := range opts {
		if o, ok := o.(sticky); ok {
			along = append(along, stickyHeader, o.hash())
		}
	}
	if len(along) > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, along...)
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}

// knock connects before a message needs it: ring_hash does so for a call only. Whether the service knows of health is no
// matter.
func knock(conn *grpc.ClientConn) {
	ctx, cancel := context.WithTimeout(context.Background(), Grace)
	defer cancel()
	_, _ = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
}
