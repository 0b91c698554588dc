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

// TLSFlags are the files of mutual TLS, PEM all of them: all three or none. They are read again when they change.
type TLSFlags struct {
	TLSCert string `name:"tls-cert" env:"WXGATE_TLS_CERT" placeholder:"FILE" help:"Certificate of this process, for gRPC and internal addresses: it shows its own and demands the other side's."`
	TLSKey  string `name:"tls-key" env:"WXGATE_TLS_KEY" placeholder:"FILE" help:"The certificate's private key."`
	TLSCA   string `name:"tls-ca" env:"WXGATE_TLS_CA" placeholder:"FILE" help:"Certificates of the authority that issues our services' certificates."`
}

// open reads the files for the first time; nil where none is given.
func (f TLSFlags) open(log *slog.Logger) (*identity, error) {
	if f == (TLSFlags{}) {
		return nil, nil
	}
	var errs []error
	for _, file := range []struct{ flag, path string }{{"tls-cert", f.TLSCert}, {"tls-key", f.TLSKey}, {"tls-ca", f.TLSCA}} {
		if file.path == "" {
			errs = append(errs, fmt.Errorf("--%s is missing; give --tls-cert, --tls-key and --tls-ca, or none of them", file.flag))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	files, err := f.read()
	if err != nil {
		return nil, err
	}
	good, err := f.parse(files)
	if err != nil {
		return nil, err
	}
	return &identity{flags: f, log: log, every: time.Second, good: good, looked: time.Now()}, nil
}

// pemFiles is what the files hold.
type pemFiles struct{ cert, key, ca string }

func (f TLSFlags) read() (files pemFiles, err error) {
	var errs []error
	for _, file := range []struct {
		flag, path string
		to         *string
	}{{"tls-cert", f.TLSCert, &files.cert}, {"tls-key", f.TLSKey, &files.key}, {"tls-ca", f.TLSCA, &files.ca}} {
		content, err := ReadRegular(file.path)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", file.flag, err))
		}
		*file.to = string(content)
	}
	return files, errors.Join(errs...)
}

// material is what files that are good make.
type material struct {
	files       pemFiles
	certificate tls.Certificate
	issuers     *x509.CertPool
}

// parse refuses what no other side would take: it would be seen by nobody but them.
func (f TLSFlags) parse(files pemFiles) (*material, error) {
	m := &material{files: files, issuers: x509.NewCertPool()}
	var err error
	if m.certificate, err = tls.X509KeyPair([]byte(files.cert), []byte(files.key)); err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", f.TLSCert, f.TLSKey, err)
	}
	if !m.issuers.AppendCertsFromPEM([]byte(files.ca)) {
		return nil, fmt.Errorf("--tls-ca %s: no certificate in it; expected PEM", f.TLSCA)
	}
	if err := m.verify(m.chain(), x509.ExtKeyUsageAny); err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-ca %s: %w", f.TLSCert, f.TLSCA, err)
	}
	return m, nil
}

// chain returns our certificate and those that come with it.
func (m *material) chain() []*x509.Certificate {
	chain := []*x509.Certificate{m.certificate.Leaf}
	for _, der := range m.certificate.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c)
		}
	}
	return chain
}

// verify checks that the authority issued the first certificate of a chain, for a use, whatever its name.
func (m *material) verify(chain []*x509.Certificate, use x509.ExtKeyUsage) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: m.issuers, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}

// identity is the certificate of this process and the authority that it trusts, as the files are. A connection that is
// open stays when they change.
type identity struct {
	flags TLSFlags
	log   *slog.Logger
	every time.Duration // how often the files are looked at, at most

	mu      sync.Mutex
	good    *material
	refused error // why the files as they are now are not in use; nil: they are
	looked  time.Time
}

// now returns what the files make, or where they are bad what they made before.
func (i *identity) now() *material {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.looked) < i.every {
		return i.good
	}
	i.looked = time.Now()
	next, err := i.load()
	if err != nil {
		if i.refused == nil || i.refused.Error() != err.Error() {
			i.log.Error("certificate refused, the one loaded before goes on", "error", err.Error())
		}
		i.refused = err
		return i.good
	}
	if next != i.good {
		leaf := next.certificate.Leaf
		i.log.Info("certificate loaded", "name", certificateName(leaf), "not_after", leaf.NotAfter)
	}
	i.good, i.refused = next, nil
	return i.good
}

func (i *identity) load() (*material, error) {
	files, err := i.flags.read()
	if err != nil {
		return nil, err
	}
	if files == i.good.files {
		return i.good, nil
	}
	return i.flags.parse(files)
}

// problem returns why the files as they are now are not in use; nil where they are.
func (i *identity) problem() error {
	i.now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refused != nil {
		return fmt.Errorf("refused, what was loaded before goes on: %w", i.refused)
	}
	return nil
}

// report makes a bad file and the certificate's end visible: in /readyz and in the metrics.
func (i *identity) report(env Env) {
	env.Ready.Problem("certificate", i.problem)
	env.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_tls_not_after_timestamp_seconds", Help: "When the certificate in use ends.",
	}, func() float64 { return float64(i.now().certificate.Leaf.NotAfter.Unix()) }))
}

// server returns the settings of a server that speaks protocol, as in ALPN.
func (i *identity) server(protocol string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m := i.now()
		return &tls.Config{
			MinVersion:   tls.VersionTLS13,
			NextProtos:   []string{protocol},
			Certificates: []tls.Certificate{m.certificate},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    m.issuers,
			// Who resumes a session is not verified again: not by an authority that has changed.
			SessionTicketsDisabled: true,
		}, nil
	}}
}

// client returns the settings of a client of host that speaks protocol. On this machine's own addresses the server's
// certificate may have any name: services and health checks there share one that names the machine.
func (i *identity) client(host, protocol string) *tls.Config {
	m := i.now()
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
			return m.verify(s.PeerCertificates, x509.ExtKeyUsageServerAuth)
		}
	}
	return config
}

// credentials returns the identity for gRPC, of servers and of clients.
func (i *identity) credentials() credentials.TransportCredentials {
	return tlsCredentials{credentials.NewTLS(i.server("h2")), i}
}

// tlsCredentials looks at the files for each connection, and logs who is refused: gRPC itself would not.
type tlsCredentials struct {
	credentials.TransportCredentials
	identity *identity
}

// ClientHandshake implements credentials.TransportCredentials.
func (c tlsCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(c.identity.client(hostOf(authority), "h2")).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake implements credentials.TransportCredentials.
func (c tlsCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil && !errors.Is(err, io.EOF) { // who hangs up looked whether the port is open
		c.identity.log.Warn("TLS handshake failed", "peer", hostOf(conn.RemoteAddr().String()), "error", err.Error())
	}
	return secured, info, err
}

// Clone implements credentials.TransportCredentials; there is nothing to change in it.
func (c tlsCredentials) Clone() credentials.TransportCredentials { return c }
