package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// peerOf returns the name of a gRPC call's caller; "" if there is no connection.
func peerOf(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
		return peerName(&info.State, p.Addr.String())
	}
	return peerName(nil, p.Addr.String())
}

// peerName returns the name of a caller: "cert:" and the name in its verified certificate or, if it has none, its address
// without the port. state may be nil.
func peerName(state *tls.ConnectionState, addr string) string {
	if state != nil && len(state.VerifiedChains) > 0 {
		return "cert:" + certificateName(state.VerifiedChains[0][0])
	}
	return hostOf(addr)
}

// certificateName returns the common name of a certificate or, if that is empty, another name in it.
func certificateName(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.URIs) > 0:
		return c.URIs[0].String()
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return "serial " + c.SerialNumber.Text(16)
}

// hostOf returns an address without its port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
