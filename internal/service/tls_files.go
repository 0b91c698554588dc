package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// TLSFlags are the files of mutual TLS, in PEM: all three or none. They are read again when they change.
type TLSFlags struct {
	TLSCert string `name:"tls-cert" env:"WXGATE_TLS_CERT" placeholder:"FILE" help:"Certificate of this process, for gRPC and internal addresses. The other side must have one too."`
	TLSKey  string `name:"tls-key" env:"WXGATE_TLS_KEY" placeholder:"FILE" help:"The certificate's private key."`
	TLSCA   string `name:"tls-ca" env:"WXGATE_TLS_CA" placeholder:"FILE" help:"Certificates of the authority that issues our services' certificates."`
}

// openIdentity reads the files for the first time; nil if none is set.
func (f TLSFlags) openIdentity(log *slog.Logger) (*tlsIdentity, error) {
	if f == (TLSFlags{}) {
		return nil, nil
	}
	var errs []error
	for _, file := range []struct{ setting, path string }{{"tls cert", f.TLSCert}, {"tls key", f.TLSKey}, {"tls ca", f.TLSCA}} {
		if file.path == "" {
			errs = append(errs, BadSetting(file.setting, "missing; set certificate, key and authority, or none of them"))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	files, err := f.readFiles()
	if err != nil {
		return nil, err
	}
	good, err := f.parseFiles(files)
	if err != nil {
		return nil, err
	}
	return &tlsIdentity{flags: f, log: log, every: time.Second, good: good, looked: time.Now()}, nil
}

// pemFiles is the content of the files.
type pemFiles struct{ cert, key, ca string }

func (f TLSFlags) readFiles() (files pemFiles, err error) {
	var errs []error
	for _, file := range []struct {
		setting, path string
		to            *string
	}{{"tls cert", f.TLSCert, &files.cert}, {"tls key", f.TLSKey, &files.key}, {"tls ca", f.TLSCA, &files.ca}} {
		content, err := ReadRegular(file.path)
		if err != nil {
			errs = append(errs, BadSetting(file.setting, "%w", err))
		}
		*file.to = string(content)
	}
	return files, errors.Join(errs...)
}

// tlsMaterial is the parsed content of valid files.
type tlsMaterial struct {
	files       pemFiles
	certificate tls.Certificate
	issuers     *x509.CertPool
}

// parseFiles rejects a certificate that the other side would reject: otherwise only the other side would notice.
func (f TLSFlags) parseFiles(files pemFiles) (*tlsMaterial, error) {
	m := &tlsMaterial{files: files, issuers: x509.NewCertPool()}
	var err error
	if m.certificate, err = tls.X509KeyPair([]byte(files.cert), []byte(files.key)); err != nil {
		return nil, BadSetting("tls cert", "%s with the key %s: %w", f.TLSCert, f.TLSKey, err)
	}
	if !m.issuers.AppendCertsFromPEM([]byte(files.ca)) {
		return nil, BadSetting("tls ca", "%s: the file has no certificate; expected PEM", f.TLSCA)
	}
	if err := m.verifyChain(m.certificateChain(), x509.ExtKeyUsageAny); err != nil {
		return nil, BadSetting("tls cert", "%s with the authority %s: %w", f.TLSCert, f.TLSCA, err)
	}
	return m, nil
}

// certificateChain returns our certificate and the intermediate ones in its file.
func (m *tlsMaterial) certificateChain() []*x509.Certificate {
	chain := []*x509.Certificate{m.certificate.Leaf}
	for _, der := range m.certificate.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c)
		}
	}
	return chain
}

// verifyChain checks that the authority issued the first certificate of a chain for a use. It does not check the name.
func (m *tlsMaterial) verifyChain(chain []*x509.Certificate, use x509.ExtKeyUsage) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: m.issuers, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}
