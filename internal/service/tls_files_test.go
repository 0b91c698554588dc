package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/service/testca"
)

// TestTLSReload: new files serve new connections; while they are bad the old ones go on.
func TestTLSReload(t *testing.T) {
	ca, next := testca.NewAuthority(t, "ours"), testca.NewAuthority(t, "next")
	env, files, log := secured(t, ca, ca.IssueNamed(t, "first"), "")
	env.Ready.setState(serving)
	plain, stop := startGRPC(t, env, func(context.Context) error { return nil })
	addr := strings.TrimPrefix(plain.CanonicalTarget(), "dns:///")
	// shown returns the name that the server shows to a client, or why there is none.
	shown := func(client *tls.Config) (string, error) {
		config := client.Clone()
		config.NextProtos = []string{"h2"}
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		// The server's word on our certificate comes after the handshake: in front of its first frame.
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return "", err
		}
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
	}
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := ca.ClientConfig(t, ca.IssueNamed(t, "gateway"))
	expect := func(what, name, problem string) {
		t.Helper()
		if got, err := shown(client); got != name {
			t.Errorf("%s: shows %q, %v; want %q", what, got, err, name)
		}
		got := ""
		if err := env.Guard.identity.reloadError(); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(problem, got); diff != "" {
			t.Errorf("%s: problem (-want +got):\n%s", what, diff)
		}
	}
	const refused = "rejected; keeping the previous version: "
	expect("at first", "first", "")

	second := ca.IssueNamed(t, "second")
	write(files.TLSCert, second.Cert)
	mismatch := fmt.Sprintf("%stls cert: %s with the key %s: tls: private key does not match public key", refused, files.TLSCert, files.TLSKey)
	expect("certificate without its key", "first", mismatch)
	if err := os.Remove(files.TLSKey); err != nil {
		t.Fatal(err)
	}
	expect("key removed", "first", refused+"tls key: open "+files.TLSKey+": no such file or directory")
	write(files.TLSKey, second.Key)
	expect("both", "second", "")
	write(files.TLSCA, []byte("no PEM"))
	expect("no authority", "second", refused+"tls ca: "+files.TLSCA+": the file has no certificate; expected PEM")
	write(files.TLSCA, ca.PEM)
	expect("as before", "second", "")

	// Each is said once, however often it was seen.
	var got []string
	for _, msg := range []string{"certificate rejected; keeping the previous one", "certificate loaded"} {
		for _, l := range log.lines(t, msg) {
			got = append(got, fmt.Sprint(l["level"], " ", l["error"], l["name"]))
		}
	}
	want := []string{
		"ERROR " + strings.TrimPrefix(mismatch, refused) + "<nil>",
		"ERROR tls key: open " + files.TLSKey + ": no such file or directory<nil>",
		"ERROR tls ca: " + files.TLSCA + ": the file has no certificate; expected PEM<nil>",
		"INFO <nil>second",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}

	// Another authority: who has the old one's certificate gets no new connection.
	third := next.IssueNamed(t, "third")
	write(files.TLSCA, next.PEM)
	write(files.TLSCert, third.Cert)
	write(files.TLSKey, third.Key)
	if got, err := shown(client); err == nil {
		t.Errorf("the old authority's client is let in by %s", got)
	}
	client = next.ClientConfig(t, next.IssueNamed(t, "gateway"))
	expect("another authority", "third", "")
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestTLSLooksSeldom: between looks, the files may change without being read.
func TestTLSLooksSeldom(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, files, _ := secured(t, ca, ca.IssueNamed(t, "first"), "")
	i := env.Guard.identity
	i.every = time.Hour
	ca.IssueNamed(t, "second").WriteFiles(t, filepath.Dir(files.TLSCert), ca)
	if got := certificateName(i.currentMaterial().certificate.Leaf); got != "first" {
		t.Errorf("read at once: %s", got)
	}
	i.looked = time.Now().Add(-time.Hour)
	if got := certificateName(i.currentMaterial().certificate.Leaf); got != "second" {
		t.Errorf("not read after an hour: %s", got)
	}
}

// TestTLSFiles: what is wrong stops the start with a line that names flag and file.
func TestTLSFiles(t *testing.T) {
	ca, other := testca.NewAuthority(t, "ours"), testca.NewAuthority(t, "other")
	dir := t.TempDir()
	good, another := ca.IssueNamed(t, "good"), ca.IssueNamed(t, "another")
	expired := ca.IssueTemplate(t, x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key, issuers := file("cert", good.Cert), file("key", good.Key), file("ca", ca.PEM)
	empty, missing := file("empty", nil), filepath.Join(dir, "missing")
	anotherKey, otherCA := file("another.key", another.Key), file("other.ca", other.PEM)
	oldCert, oldKey := file("old.cert", expired.Cert), file("old.key", expired.Key)
	const all = ": missing; set certificate, key and authority, or none of them"
	for _, tt := range []struct {
		name           string
		cert, key, ca  string
		want           string // the error, or its beginning
		guarded, whole bool
	}{
		{name: "good", cert: cert, key: key, ca: issuers, guarded: true, whole: true},
		{name: "none", whole: true},
		{name: "certificate alone", cert: cert, want: "tls key" + all + "\ntls ca" + all, whole: true},
		{name: "authority alone", ca: issuers, want: "tls cert" + all + "\ntls key" + all, whole: true},
		{
			name: "missing", cert: missing, key: missing, ca: issuers, whole: true,
			want: "tls cert: open " + missing + ": no such file or directory\ntls key: open " + missing + ": no such file or directory",
		},
		{name: "a directory", cert: cert, key: key, ca: dir, want: "tls ca: open " + dir + ": is a directory; expected a regular file", whole: true},
		{name: "empty certificate", cert: empty, key: key, ca: issuers, want: "tls cert: " + empty + " with the key " + key + ": tls: failed to find any PEM data in certificate input"},
		{name: "another's key", cert: cert, key: anotherKey, ca: issuers, want: "tls cert: " + cert + " with the key " + anotherKey + ": tls: private key does not match public key"},
		{name: "swapped", cert: key, key: cert, ca: issuers, want: "tls cert: " + key + " with the key " + cert + ": tls: failed to find certificate PEM data in certificate input"},
		{name: "empty authority", cert: cert, key: key, ca: empty, want: "tls ca: " + empty + ": the file has no certificate; expected PEM"},
		{name: "another authority", cert: cert, key: key, ca: otherCA, want: "tls cert: " + cert + " with the authority " + otherCA + ": x509: certificate signed by unknown authority"},
		{name: "expired", cert: oldCert, key: oldKey, ca: issuers, want: "tls cert: " + oldCert + " with the authority " + issuers + ": x509: certificate has expired or is not yet valid: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, _ := testEnv()
			env, err := GuardFlags{TLSFlags: TLSFlags{tt.cert, tt.key, tt.ca}}.WithGuard(env)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if tt.whole && got != tt.want || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if (env.Guard != nil) != tt.guarded {
				t.Errorf("guarded %t, want %t", env.Guard != nil, tt.guarded)
			}
		})
	}
	// The key's error and the files' come together.
	env, _ := testEnv()
	_, err := GuardFlags{"short", TLSFlags{TLSCert: cert}}.WithGuard(env)
	if err == nil || strings.Count(err.Error(), "\n") != 2 || strings.Contains(err.Error(), "short") {
		t.Errorf("got %v, want three lines", err)
	}
}

// TestTLSMetric: the end of the certificate in use is a metric.
func TestTLSMetric(t *testing.T) {
	ca := testca.NewAuthority(t, "ours")
	env, _, _ := secured(t, ca, ca.IssueNamed(t, "gateway"), "")
	families, err := env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "wxgate_tls_not_after_timestamp_seconds" {
			if got, want := f.GetMetric()[0].GetGauge().GetValue(), float64(env.Guard.identity.currentMaterial().certificate.Leaf.NotAfter.Unix()); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			return
		}
	}
	t.Error("no such metric")
}
