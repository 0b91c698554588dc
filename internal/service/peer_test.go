package service

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"strings"
	"testing"

	"wxgate/internal/service/testca"
)

func TestCertificateName(t *testing.T) {
	uri := []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/gateway"}}
	ca := testca.NewAuthority(t, "ours")
	for _, tt := range []struct {
		template x509.Certificate
		want     string
	}{
		{x509.Certificate{Subject: pkix.Name{CommonName: "gateway"}, URIs: uri, DNSNames: []string{"a"}}, "gateway"},
		{x509.Certificate{URIs: uri, DNSNames: []string{"a"}}, "spiffe://example.org/gateway"},
		{x509.Certificate{DNSNames: []string{"a", "b"}}, "a"},
	} {
		env, _, _ := secured(t, ca, ca.IssueTemplate(t, tt.template), "")
		if got := certificateName(env.Guard.identity.good.certificate.Leaf); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	env, _, _ := secured(t, ca, ca.IssueTemplate(t, x509.Certificate{}), "")
	if got := certificateName(env.Guard.identity.good.certificate.Leaf); !strings.HasPrefix(got, "serial ") || len(got) < 16 {
		t.Errorf("without a name: %q", got)
	}
}

func TestHostOf(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1", "[::1]:80": "::1", "replier:9001": "replier", "replier": "replier", "bufconn": "bufconn", "": "",
	} {
		if got := hostOf(addr); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", addr, got, want)
		}
	}
}
