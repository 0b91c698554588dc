package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"wxgate/internal/service/testca"
)

// secured returns an Env with the TLS of a pair, its files, and what is logged. The files are looked at all the time.
func secured(t *testing.T, ca *testca.Authority, p testca.Pair, keys string) (Env, TLSFlags, *logBuffer) {
	t.Helper()
	var files TLSFlags
	files.TLSCert, files.TLSKey, files.TLSCA = p.WriteFiles(t, t.TempDir(), ca)
	env, log := testEnv()
	env, err := GuardFlags{Secret(keys), files}.WithGuard(env)
	if err != nil {
		t.Fatal(err)
	}
	env.Guard.identity.every = 0
	return env, files, log
}

// callers are who tries to reach a server of an authority.
func callers(t *testing.T, ca *testca.Authority) []caller {
	t.Helper()
	other := testca.NewAuthority(t, "other")
	good := ca.ClientConfig(t, ca.IssueNamed(t, "gateway"))
	old, none, foreign, serverOnly := good.Clone(), good.Clone(), good.Clone(), good.Clone()
	old.MaxVersion = tls.VersionTLS12
	none.Certificates = nil
	foreign.Certificates = other.ClientConfig(t, other.IssueNamed(t, "gateway")).Certificates
	serverOnly.Certificates = ca.ClientConfig(t, ca.IssueTemplate(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})).Certificates
	// A client would keep it to itself where the server names another authority.
	show := foreign.Certificates[0]
	foreign.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &show, nil }
	return []caller{
		{"right", good, ""},
		{"another authority", foreign, "certificate signed by unknown authority"},
		{"no certificate", none, "client didn't provide a certificate"},
		{"TLS 1.2", old, "client offered only unsupported versions"},
		{"no client's certificate", serverOnly, "incompatible key usage"},
		{"no TLS", nil, "first record does not look like a TLS handshake"},
	}
}

type caller struct {
	name   string
	config *tls.Config // nil: no TLS
	logged string      // what the server says of it; "": it is let in
}

// awaitLog waits until text is in the log: a server may write it after its client learned the same.
func awaitLog(t *testing.T, log *logBuffer, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not in the log: %s", text, log)
		}
	}
}

// TestTLSGRPC: only who has a certificate of the authority is heard; who has none is in the log.
func TestTLSGRPC(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, _, log := secured(t, ca, ca.IssueNamed(t, "replier"), "")
	plain, stop := startGRPC(t, env, func(context.Context) error { return nil })
	for _, tt := range callers(t, ca) {
		t.Run(tt.name, func(t *testing.T) {
			creds := insecure.NewCredentials()
			if tt.config != nil {
				creds = credentials.NewTLS(tt.config)
			}
			conn, err := grpc.NewClient(plain.CanonicalTarget(), grpc.WithTransportCredentials(creds))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = invoke(t.Context(), conn)
			if tt.logged == "" {
				if err != nil {
					t.Fatal(err)
				}
				if l := log.line(t, "rpc"); l["peer"] != "cert:gateway" {
					t.Errorf("logged %v", l)
				}
				return
			}
			if status.Code(err) != codes.Unavailable {
				t.Errorf("got %v, want Unavailable", err)
			}
			awaitLog(t, log, tt.logged)
			for _, l := range log.lines(t, "TLS handshake failed") {
				if l["level"] != "WARN" || l["peer"] != "127.0.0.1" {
					t.Errorf("logged %v", l)
				}
			}
		})
	}
	if n := len(log.lines(t, "rpc")); n != 1 {
		t.Errorf("%d calls were heard, want 1", n)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestTLSHTTP: the same on an internal address, metrics and health included.
func TestTLSHTTP(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, _, log := secured(t, ca, ca.IssueNamed(t, "gateway"), "")
	h, err := ListenInternal(env, "internal-listen", "127.0.0.1:0", http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, h)
	for _, tt := range callers(t, ca) {
		t.Run(tt.name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: tt.config}
			defer transport.CloseIdleConnections()
			scheme := "https://"
			if tt.config == nil {
				scheme = "http://"
			}
			for _, path := range []string{"/v1/reply", "/metrics", "/livez"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+h.Addr().String()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := (&http.Client{Transport: transport}).Do(r)
				if err == nil {
					resp.Body.Close()
				}
				switch {
				case tt.logged == "" && err != nil:
					t.Errorf("%s: %v", path, err)
				case tt.config == nil && (err != nil || resp.StatusCode != http.StatusBadRequest):
					t.Errorf("%s: %v, %v; want 400", path, resp, err)
				case tt.config != nil && tt.logged != "" && err == nil:
					t.Errorf("%s: %s, want no connection", path, resp.Status)
				}
			}
			if tt.config != nil {
				awaitLog(t, log, tt.logged)
			}
		})
	}
	if l := log.line(t, "http"); l["peer"] != "cert:gateway" || l["status"] != 404.0 {
		t.Errorf("logged %v", l)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestTLSAndKey: with both, both are wanted and both are in the line.
func TestTLSAndKey(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, _, log := secured(t, ca, ca.IssueNamed(t, "gateway", "gateway.internal"), keyA)
	plain, stop := startGRPC(t, env, func(context.Context) error { return nil })
	keyless := env
	keyless.Guard = &Guard{identity: env.Guard.identity}
	for _, tt := range []struct {
		name string
		env  Env
		want codes.Code
		peer string
	}{
		{"both", env, codes.OK, "cert:gateway " + nameA},
		{"certificate", keyless, codes.Unauthenticated, "cert:gateway"},
	} {
		conn, err := DialOwn(tt.env.ForService(tt.name), "replier", plain.CanonicalTarget())
		if err != nil {
			t.Fatal(err)
		}
		if err := invoke(t.Context(), conn); status.Code(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
		_ = conn.Close()
		lines := log.lines(t, "rpc")
		if l := lines[len(lines)-1]; l["peer"] != tt.peer {
			t.Errorf("%s: logged %v, want peer %s", tt.name, l, tt.peer)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// handshake returns what a client says of a server.
func handshake(t *testing.T, client, server *tls.Config) error {
	t.Helper()
	lis, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		_ = conn.(*tls.Conn).HandshakeContext(t.Context())
		_ = conn.Close()
	}()
	defer func() { _ = lis.Close(); <-done }()
	conn, err := (&tls.Dialer{Config: client}).DialContext(t.Context(), "tcp", lis.Addr().String())
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// TestTLSClient: a client wants the authority's certificate and the name it called, which is free on this machine.
func TestTLSClient(t *testing.T) {
	ca, other := testca.NewAuthority(t, "ours"), testca.NewAuthority(t, "other")
	env, _, _ := secured(t, ca, ca.IssueNamed(t, "gateway"), "")
	own := env.Guard.identity
	named := ca.IssueNamed(t, "replier", "replier.internal")
	clientOnly := ca.IssueTemplate(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "bot"}, DNSNames: []string{"replier.internal"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	for _, tt := range []struct {
		name, host string
		shows      testca.Pair
		want       string // part of the error; "": it is taken
	}{
		{"its name", "replier.internal", named, ""},
		{"another name", "oauthsvc.internal", named, "certificate is valid for replier.internal, not oauthsvc.internal"},
		{"an address", "10.0.0.5", named, "doesn't contain any IP SANs"},
		{"loopback", "127.0.0.1", named, ""},
		{"loopback, IPv6", "::1", named, ""},
		{"any address of this machine", "::", named, ""},
		{"localhost", "localhost", named, ""},
		{"another authority", "replier.internal", other.IssueNamed(t, "replier", "replier.internal"), "unknown authority"},
		{"loopback, another authority", "127.0.0.1", other.IssueNamed(t, "replier"), "unknown authority"},
		{"no server's certificate", "replier.internal", clientOnly, "incompatible key usage"},
		{"loopback, no server's certificate", "127.0.0.1", clientOnly, "incompatible key usage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cert, err := tls.X509KeyPair(tt.shows.Cert, tt.shows.Key)
			if err != nil {
				t.Fatal(err)
			}
			server := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}, SessionTicketsDisabled: true}
			err = handshake(t, own.clientConfig(tt.host, "h2"), server)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	t.Run("TLS 1.2", func(t *testing.T) {
		cert, err := tls.X509KeyPair(named.Cert, named.Key)
		if err != nil {
			t.Fatal(err)
		}
		err = handshake(t, own.clientConfig("127.0.0.1", "h2"), &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12})
		if err == nil {
			t.Error("an old server is taken")
		}
	})
}

// TestTLSNoResumption: who comes again is verified again.
func TestTLSNoResumption(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, _, _ := secured(t, ca, ca.IssueNamed(t, "gateway"), "")
	h, err := ListenInternal(env, "internal-listen", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, h)
	config := ca.ClientConfig(t, ca.IssueNamed(t, "operator"))
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+h.Addr().String()+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body) // a ticket would come before it
		resp.Body.Close()
		if resp.TLS.DidResume {
			t.Error("a session was resumed")
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestCheckHealthTLS: the files that a process serves with let its health check in, which needs no key.
func TestCheckHealthTLS(t *testing.T) {
	ca, other := testca.NewAuthority(t, "ours"), testca.NewAuthority(t, "other")
	env, files, _ := secured(t, ca, ca.IssueNamed(t, "replier", "replier.internal"), keyA)
	env.Ready.setState(serving)
	h, err := ListenInternal(env, "internal-listen", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	stopHTTP := serve(t, h)
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopGRPC := serve(t, g)
	_, foreign, _ := secured(t, other, other.IssueNamed(t, "replier"), "")
	for _, addr := range []string{h.Addr().String(), g.Addr().String()} {
		if err := CheckHealth(t.Context(), addr, files); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
		for name, files := range map[string]TLSFlags{"no files": {}, "another authority's": foreign} {
			if err := CheckHealth(t.Context(), addr, files); err == nil {
				t.Errorf("%s: %s: healthy", addr, name)
			}
		}
	}
	if err := CheckHealth(t.Context(), h.Addr().String(), TLSFlags{TLSCert: "x"}); err == nil || !strings.HasPrefix(err.Error(), "tls key: missing") {
		t.Errorf("one file of three: %v", err)
	}
	env.Ready.setState(draining)
	if err := CheckHealth(t.Context(), h.Addr().String(), files); err == nil || !strings.HasPrefix(err.Error(), "503 ") {
		t.Errorf("while it drains: %v", err)
	}
	if err := errors.Join(stopHTTP(), stopGRPC()); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestHangsUp: who opens a connection and says nothing is no line in the log.
func TestHangsUp(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, _, log := secured(t, ca, ca.IssueNamed(t, "replier"), "")
	a, b := net.Pipe()
	_ = a.Close()
	if _, _, err := env.Guard.transportCredentials().ServerHandshake(b); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
	if log.String() != "" {
		t.Errorf("logged %s", log)
	}
}
