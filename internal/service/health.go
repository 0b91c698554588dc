package service

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// CheckHealth returns nil if the process at addr is ready; else why it is not. addr is host:port, or the URL of an internal
// address. CheckHealth asks over HTTP at /readyz or, if addr speaks gRPC, at its health service. It uses TLS if files are
// given.
func CheckHealth(ctx context.Context, addr string, files TLSFlags) error {
	addr, err := healthAddr(addr, files)
	if err != nil {
		return err
	}
	identity, err := files.openIdentity(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	guard := &Guard{identity: identity}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8001", addr)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if identity != nil {
		conn = tls.Client(conn, identity.clientConfig(hostOf(addr), "http/1.1"))
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_ = req.Write(conn) // if it fails, so does the reading
	// Not an http.Client: a gRPC server sends first and closes on HTTP, and an http.Client reports that in several ways.
	answer := bufio.NewReader(conn)
	if begin, err := answer.Peek(len("HTTP/")); err != nil || string(begin) != "HTTP/" {
		return guard.checkGRPC(ctx, addr)
	}
	resp, err := http.ReadResponse(answer, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// healthAddr returns the host and port of addr, which may be a URL.
func healthAddr(addr string, files TLSFlags) (string, error) {
	scheme, rest, isURL := strings.Cut(addr, "://")
	host := strings.TrimSuffix(strings.TrimSuffix(rest, "/"), "/readyz")
	_, _, err := net.SplitHostPort(host)
	switch {
	case !isURL:
		return addr, nil
	case err != nil || strings.ContainsAny(host, "/?#") || scheme != "http" && scheme != "https":
		return "", fmt.Errorf("%q: expected host and port, such as 127.0.0.1:8001 or http://127.0.0.1:8001", addr)
	case scheme == "https" && files == TLSFlags{}:
		return "", fmt.Errorf("%q: TLS needs --tls-cert, --tls-key and --tls-ca", addr)
	}
	return host, nil
}

func (g *Guard) checkGRPC(ctx context.Context, addr string) error {
	conn, err := grpc.NewClient("passthrough:///"+addr, g.dialOptions()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if resp.Status != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}
