package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
)

// tlsIdentity is the certificate of this process and the authority that it trusts. It follows the files; open connections stay
// when they change.
type tlsIdentity struct {
	flags TLSFlags
	log   *slog.Logger
	every time.Duration // the least time between two looks at the files

	mu       sync.Mutex
	good     *tlsMaterial
	rejected error // why the current files are not in use; nil: they are
	looked   time.Time
}

// currentMaterial returns the content of the files or, if they are invalid, their last valid content.
func (i *tlsIdentity) currentMaterial() *tlsMaterial {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.looked) < i.every {
		return i.good
	}
	i.looked = time.Now()
	next, err := i.loadChanged()
	if err != nil {
		if i.rejected == nil || i.rejected.Error() != err.Error() {
			i.log.Error("certificate rejected; keeping the previous one", "error", err.Error())
		}
		i.rejected = err
		return i.good
	}
	if next != i.good {
		leaf := next.certificate.Leaf
		i.log.Info("certificate loaded", "name", certificateName(leaf), "not_after", leaf.NotAfter)
	}
	i.good, i.rejected = next, nil
	return i.good
}

func (i *tlsIdentity) loadChanged() (*tlsMaterial, error) {
	files, err := i.flags.readFiles()
	if err != nil {
		return nil, err
	}
	if files == i.good.files {
		return i.good, nil
	}
	return i.flags.parseFiles(files)
}

// reloadError returns why the current files are not in use; nil if they are.
func (i *tlsIdentity) reloadError() error {
	i.currentMaterial()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rejected != nil {
		return fmt.Errorf("rejected; keeping the previous version: %w", i.rejected)
	}
	return nil
}

// registerChecks shows an invalid file in /readyz, and the certificate's expiry in the metrics.
func (i *tlsIdentity) registerChecks(env Env) {
	env.Ready.AddProblem("certificate", i.reloadError)
	env.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_tls_not_after_timestamp_seconds", Help: "When the certificate in use expires, in seconds since 1970.",
	}, func() float64 { return float64(i.currentMaterial().certificate.Leaf.NotAfter.Unix()) }))
}

// serverConfig returns the TLS settings of a server. protocol is its name in ALPN.
func (i *tlsIdentity) serverConfig(protocol string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m := i.currentMaterial()
		return &tls.Config{
			MinVersion:   tls.VersionTLS13,
			NextProtos:   []string{protocol},
			Certificates: []tls.Certificate{m.certificate},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    m.issuers,
			// A resumed session is not verified again, even if the authority has changed.
			SessionTicketsDisabled: true,
		}, nil
	}}
}

// clientConfig returns the TLS settings of a client of host. protocol is its name in ALPN. On addresses of this machine the
// server's certificate may have any name: services and health checks there share one certificate with the machine's name.
func (i *tlsIdentity) clientConfig(host, protocol string) *tls.Config {
	m := i.currentMaterial()
	config := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{protocol},
		ServerName:   host,
		Certificates: []tls.Certificate{m.certificate},
		RootCAs:      m.issuers,
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		config.InsecureSkipVerify = true // of the name: the next line verifies the rest
		config.VerifyConnection = func(s tls.ConnectionState) error {
			return m.verifyChain(s.PeerCertificates, x509.ExtKeyUsageServerAuth)
		}
	}
	return config
}

// transportCredentials returns the identity as gRPC credentials, for servers and clients.
func (i *tlsIdentity) transportCredentials() credentials.TransportCredentials {
	return tlsCredentials{credentials.NewTLS(i.serverConfig("h2")), i}
}

// tlsCredentials uses the current files for each connection, and logs rejected handshakes: gRPC does not.
type tlsCredentials struct {
	credentials.TransportCredentials
	identity *tlsIdentity
}

// ClientHandshake implements credentials.TransportCredentials.
func (c tlsCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(c.identity.clientConfig(hostOf(authority), "h2")).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake implements credentials.TransportCredentials.
func (c tlsCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the caller only checked that the port is open
		c.identity.log.Warn("TLS handshake failed", "peer", hostOf(conn.RemoteAddr().String()), "error", err.Error())
	}
	return secured, info, err
}

// Clone implements credentials.TransportCredentials. There is nothing to copy.
func (c tlsCredentials) Clone() credentials.TransportCredentials { return c }
