package service

import (
	"context"
	"errors"
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

// ownKeepalive detects a replica of ours that hangs. Our servers allow these pings (see ListenGRPC).
var ownKeepalive = keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}

// foreignKeepalive is for servers with the defaults of their libraries. In Go, C++ and Python these allow one ping in five
// minutes, also while calls run, and close the connection with all its calls after the third ping that comes sooner. No call
// lasts that long, so no ping is ever sent. Timeout has an effect all the same: on Linux, a host that acknowledges nothing
// for that time loses its connection (TCP_USER_TIMEOUT). A bot that computes is safe: its operating system acknowledges.
var foreignKeepalive = keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}

// DialOwn is Dial for a service of ours: the client sends the key and the certificate of env's Guard. Calls with the same key
// of Sticky go to the same replica while it is reachable and healthy.
func DialOwn(env Env, name, target string) (*grpc.ClientConn, error) {
	conn, err := dialTarget(env, name, target, append(env.Guard.dialOptions(),
		grpc.WithKeepaliveParams(ownKeepalive),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"ring_hash_experimental":{"requestHashHeader":"`+stickyHeader+`"}}],`+
			`"healthCheckConfig":{"serviceName":""}}`))...)
	if err == nil {
		go warmUp(conn)
	}
	return conn, err
}

// stickyHeader is the gRPC metadata that selects the replica.
const stickyHeader = "wxgate-sticky"

// Sticky is the option of a call that should go to the replica of a key. The key has two parts; only its hash is sent.
func Sticky(first, second string) grpc.CallOption { return stickyOption{key: [2]string{first, second}} }

type stickyOption struct {
	grpc.EmptyCallOption
	key [2]string
}

// hashKey returns a short hash that differs between keys and does not reveal them.
func (s stickyOption) hashKey() string {
	h := fnv.New64a()
	for _, part := range s.key {
		_, _ = h.Write([]byte(part)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Dial returns a client of the service called name at a gRPC target ("dns:///replier:9001"), and adds the service to Ready.
// It connects in the background, and reconnects within seconds when an unreachable service returns. The service may belong
// to somebody else: Dial sends neither key nor certificate.
func Dial(env Env, name, target string) (*grpc.ClientConn, error) {
	return dialTarget(env, name, target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(foreignKeepalive))
}

func dialTarget(env Env, name, target string, own ...grpc.DialOption) (*grpc.ClientConn, error) {
	if err := CheckTarget(target); err != nil {
		return nil, BadSetting(name, "%w", err)
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
		return nil, BadSetting(name, "%q is not a gRPC target such as dns:///%s:9001: %w", target, name, err)
	}
	conn.Connect()
	env.Ready.AddNeighbour(name, func() error {
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
	return newCallMetrics("client", prometheus.WrapRegistererWith(prometheus.Labels{"peer": name}, env.Registerer)).countClientCall
}

// sendAlong sends the request's id, and the hash of Sticky's key.
func sendAlong(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var room [4]string
	along := room[:0]
	if id := RequestID(ctx); id != "" {
		along = append(along, metadataID, id)
	}
	for _, o := range opts {
		if o, ok := o.(stickyOption); ok {
			along = append(along, stickyHeader, o.hashKey())
		}
	}
	if len(along) > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, along...)
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}

// warmUp connects before the first message needs the connection: ring_hash connects only for a call. The result of the health
// check does not matter.
func warmUp(conn *grpc.ClientConn) {
	ctx, cancel := context.WithTimeout(context.Background(), Grace)
	defer cancel()
	_, _ = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
}
