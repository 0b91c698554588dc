package test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
	"wxgate/internal/service/testca"
	"wxgate/test/testproc"
)

// Two keys, and how a log names the first: printf KEY | sha256sum | head -c 8.
const (
	internalKey = "e2eInternalKey0123456789abcdefghij"
	nextKey     = "e2eInternalKeyOfTomorrow0123456789"
	keyName     = "key:59a2e9d2"
)

// awaitLine waits for a line of a process's log with a message and what else is wanted: it is written when the answer is
// already on its way.
func awaitLine(t *testing.T, p *testproc.Process, msg string, want map[string]any) {
	t.Helper()
	testproc.WaitFor(t, fmt.Sprintf("a line %q with %v", msg, want), func() bool {
		for text := range strings.Lines(p.Logged()) {
			line := map[string]any{}
			if json.Unmarshal([]byte(text), &line) != nil || line["msg"] != msg {
				continue
			}
			fits := true
			for name, value := range want {
				fits = fits && line[name] == value
			}
			if fits {
				return true
			}
		}
		return false
	})
}

// restReply asks a gateway over REST and returns the status and the body.
func restReply(t *testing.T, client *http.Client, base, key string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/reply", strings.NewReader(`{"message":{"msgType":"text","text":{"content":"over REST"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

const replyMethod = "/replier.v1.ReplierService/Reply"

// A replier hears a gateway with its key, and no other; the gateway's REST likewise. The next key is accepted before it
// is sent.
func TestInternalKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(nextKey+","+internalKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	replier := testproc.Start(t, testproc.Env("WXGATE_INTERNAL_KEY_FILE="+file), "replier")
	target := "WXGATE_REPLIER=" + replier.Addr("replier-listen")
	gateway := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, target, "WXGATE_INTERNAL_KEY="+internalKey), "gateway")
	if got := testproc.Say(t, testproc.SenderTo(gateway.Addr("listen"), "plain"), "text", "hello"); got != "hello" {
		t.Errorf("with the key the answer was %q", got)
	}
	internal := "http://" + gateway.Addr("internal-listen")
	for key, want := range map[string]int{internalKey: http.StatusOK, "": http.StatusUnauthorized, nextKey: http.StatusUnauthorized} {
		if got, body := restReply(t, http.DefaultClient, internal, key); got != want {
			t.Errorf("REST: %d %s, want %d", got, body, want)
		}
	}
	for _, line := range []struct {
		of   *testproc.Process
		msg  string
		want map[string]any
	}{
		{replier, "rpc", map[string]any{"method": replyMethod, "code": "OK", "peer": keyName}},
		{gateway, "http", map[string]any{"path": "/v1/reply", "status": 200.0, "peer": keyName}},
		{gateway, "http", map[string]any{"path": "/v1/reply", "status": 401.0, "peer": "127.0.0.1", "cause": "no key"}},
	} {
		awaitLine(t, line.of, line.msg, line.want)
	}

	// A gateway without the key, or with a wrong one, gets nothing out of the replier; its users see no error.
	for name, keys := range map[string]string{"none": "", "wrong": strings.Repeat("x", 32)} {
		stranger := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, target, "WXGATE_INTERNAL_KEY="+keys, "WXGATE_BUSY_TEXT= "), "gateway")
		if got := testproc.Say(t, testproc.SenderTo(stranger.Addr("listen"), "plain"), "text", "hello"); got != "" {
			t.Errorf("%s: the answer was %q", name, got)
		}
		if code := stranger.Stop(); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	awaitLine(t, replier, "rpc", map[string]any{"code": "Unauthenticated", "peer": "127.0.0.1", "cause": "an unknown key"})
	for _, p := range []*testproc.Process{gateway, replier} {
		for _, flag := range []string{"internal-listen", "replier-listen"} {
			if addr, bound := p.Bound(flag); bound {
				if code, _, stderr := testproc.Run(t, nil, "", "health", addr); code != 0 {
					t.Errorf("%v: health: exit code %d: %s", p.Cmd.Args, code, stderr)
				}
			}
		}
		if code := p.Stop(); code != 0 {
			t.Errorf("%v: exit code %d after SIGTERM", p.Cmd.Args, code)
		}
		testproc.NoSecrets(t, p, internalKey, nextKey)
	}
}

// tlsEnv writes a certificate and returns the settings that name it.
func tlsEnv(t *testing.T, dir string, ca *testca.Authority, p testca.Pair) []string {
	t.Helper()
	cert, key, issuers := p.WriteFiles(t, dir, ca)
	return []string{"WXGATE_TLS_CERT=" + cert, "WXGATE_TLS_KEY=" + key, "WXGATE_TLS_CA=" + issuers}
}

// Two processes with a certificate each find each other by it; the replier's is replaced while it serves.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca, other := testca.NewAuthority(t, "ours"), testca.NewAuthority(t, "other")
	dir := t.TempDir()
	replierEnv := tlsEnv(t, dir, ca, ca.IssueNamed(t, "replier", "replier.internal"))
	gatewayEnv := tlsEnv(t, t.TempDir(), ca, ca.IssueNamed(t, "gateway"))
	foreignEnv := tlsEnv(t, t.TempDir(), other, other.IssueNamed(t, "gateway"))
	replier := testproc.Start(t, testproc.Env(replierEnv...), "replier")
	addr := replier.Addr("replier-listen")
	account := testproc.Env("WECHAT_TOKEN="+testproc.Token, "WXGATE_REPLIER="+addr)
	gateway := testproc.Start(t, append(account, gatewayEnv...), "gateway")
	s := testproc.SenderTo(gateway.Addr("listen"), "plain")
	if got := testproc.Say(t, s, "text", "hello"); got != "hello" {
		t.Errorf("the answer was %q", got)
	}
	awaitLine(t, replier, "rpc", map[string]any{"method": replyMethod, "code": "OK", "peer": "cert:gateway"})

	// REST, with a certificate and without.
	internal := "https://" + gateway.Addr("internal-listen")
	config := ca.ClientConfig(t, ca.IssueNamed(t, "operator"))
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	if status, body := restReply(t, &http.Client{Transport: transport}, internal, ""); status != http.StatusOK || !strings.Contains(body, "over REST") {
		t.Errorf("REST with a certificate: %d %s", status, body)
	}
	awaitLine(t, gateway, "http", map[string]any{"path": "/v1/reply", "peer": "cert:operator"})
	nobody := config.Clone()
	nobody.Certificates = nil
	if resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: nobody, DisableKeepAlives: true}}).Get(internal + "/metrics"); err == nil {
		resp.Body.Close()
		t.Errorf("REST without a certificate: %s", resp.Status)
	}

	// Health: with the files that the process has, and not without.
	for _, tt := range []struct {
		env     []string
		healthy bool
	}{{replierEnv, true}, {gatewayEnv, true}, {foreignEnv, false}, {nil, false}} {
		for _, at := range []string{addr, replier.Addr("internal-listen"), gateway.Addr("internal-listen")} {
			if code, _, stderr := testproc.Run(t, tt.env, "", "health", at); (code == 0) != tt.healthy {
				t.Errorf("health %s with %v: exit code %d: %s", at, tt.env, code, stderr)
			}
		}
	}

	// Gateways that the replier does not know, or that do not know it, get no answer.
	for name, more := range map[string][]string{"another authority": foreignEnv, "no TLS": nil} {
		stranger := testproc.Start(t, append(append(account, "WXGATE_REPLY_TIMEOUT=300ms", "WXGATE_SLOW=drop"), more...), "gateway")
		if got := testproc.Say(t, testproc.SenderTo(stranger.Addr("listen"), "plain"), "text", "hello"); got != "" {
			t.Errorf("%s: the answer was %q", name, got)
		}
		if code := stranger.Stop(); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}

	// A new certificate, while messages go on.
	ca.IssueNamed(t, "renewed", "replier.internal").WriteFiles(t, dir, ca)
	config.NextProtos = []string{"h2"}
	testproc.WaitFor(t, "the replier to show its new certificate", func() bool {
		conn, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName == "renewed"
	})
	if got := testproc.Say(t, s, "text", "still there"); got != "still there" {
		t.Errorf("after the new certificate the answer was %q", got)
	}
	for _, p := range []*testproc.Process{gateway, replier} {
		if code := p.Stop(); code != 0 {
			t.Errorf("%v: exit code %d after SIGTERM", p.Cmd.Args, code)
		}
		testproc.NoSecrets(t, p, "PRIVATE KEY")
	}
}

// One process with all of it: it talks to itself without certificate and key, which others need.
func TestServeGuarded(t *testing.T) {
	t.Parallel()
	ca := testca.NewAuthority(t, "ours")
	settings := tlsEnv(t, t.TempDir(), ca, ca.IssueNamed(t, "wxgate", "wx.example.com"))
	p := testproc.Start(t, testproc.Env(append(append(settings, testproc.AccountEnv...), "WXGATE_INTERNAL_KEY="+internalKey)...), "dev")
	if got := testproc.Say(t, testproc.SenderTo(p.Addr("listen"), "safe"), "text", "hello"); got != "hello" {
		t.Errorf("the answer was %q", got)
	}
	if got := testproc.Login(t, "http://"+p.Addr("listen")); got["openid"] != sender.User {
		t.Errorf("after the login /oauth/userinfo says %v", got)
	}
	for _, flag := range []string{"internal-listen", "replier-listen", "oauth-listen"} {
		if code, _, stderr := testproc.Run(t, settings, "", "health", p.Addr(flag)); code != 0 {
			t.Errorf("health of --%s: exit code %d: %s", flag, code, stderr)
		}
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	testproc.NoSecrets(t, p, internalKey)
}

// A bad key or file stops the start of every role, before anything serves.
func TestBadGuardStopsStart(t *testing.T) {
	t.Parallel()
	ca := testca.NewAuthority(t, "ours")
	settings := tlsEnv(t, t.TempDir(), ca, ca.IssueNamed(t, "wxgate"))
	for _, role := range []string{"dev", "serve", "gateway", "replier", "oauthsvc"} {
		for _, tt := range []struct {
			env  []string
			want string
		}{
			{[]string{"WXGATE_INTERNAL_KEY=short"}, "wxgate: --internal-key (WXGATE_INTERNAL_KEY or WXGATE_INTERNAL_KEY_FILE): key 1 has 5 characters; expected at least 32; openssl rand -hex 32 makes one\n"},
			{append(settings[:2:2], "WXGATE_TLS_CA=/nowhere/ca.crt"), "wxgate: --tls-ca (WXGATE_TLS_CA): open /nowhere/ca.crt: no such file or directory\n"},
			{settings[:1], "wxgate: --tls-key (WXGATE_TLS_KEY): missing; set certificate, key and authority, or none of them\n"},
		} {
			code, _, stderr := testproc.Run(t, append(testproc.Env(testproc.AccountEnv...), tt.env...), "", role)
			if code != 1 || !strings.HasPrefix(stderr, tt.want) || strings.Contains(stderr, "listening") {
				t.Errorf("%s with %v: exit code %d: %s", role, tt.env, code, stderr)
			}
		}
	}
}
