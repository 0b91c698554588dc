package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/test/testproc"
)

// TestFindingsWrongEnvironment: what is wrong with variables stops every command, and is told with what else is wrong.
func TestFindingsWrongEnvironment(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("'0123456789abcdef0123456789abcdef'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := []string{"WXGATE_SESION_KEY=x", `WXGATE_LISTEN=":8000"`, "WXGATE_INTERNAL_KEY_FILE=" + secret}
	said := []string{
		`WXGATE_SESION_KEY: no setting has this variable; did you mean "WXGATE_SESSION_KEY"?`,
		"WXGATE_LISTEN: the value is in quotes",
		"WXGATE_INTERNAL_KEY_FILE: " + secret + ": the value is in quotes",
	}
	for _, c := range []struct{ args, besides string }{
		{"gateway --max-skew -1s", "--max-skew (WXGATE_MAX_SKEW): -1s"},
		{"serve --max-skew -1s", "--max-skew (WXGATE_MAX_SKEW): -1s"},
		{"dev --max-skew -1s", "--max-skew (WXGATE_MAX_SKEW): -1s"},
		{"replier --rules /nonexistent.yaml", "/nonexistent.yaml"},
		{"oauthsvc", "--app-secret (WECHAT_APP_SECRET"},
		{"fakewechat --gateway nonsense", "--gateway"},
		{"send text hello", ""},
		{"decode", ""},
		{"gateway --nonsense", "unknown flag --nonsense"},
	} {
		code, stdout, stderr := testproc.Run(t, append(wrong, testproc.AnyPort[1:]...), "", strings.Fields(c.args)...)
		if code == 0 || stdout != "" {
			t.Errorf("%s: exit code %d, %s", c.args, code, stdout)
		}
		for _, want := range append([]string{c.besides}, said...) {
			if strings.Count(stderr, want) != 1 && want != "" {
				t.Errorf("%s: not once: %q in\n%s", c.args, want, stderr)
			}
		}
		if strings.Contains(stderr, "0123456789abcdef") || strings.Contains(stderr, "listening") {
			t.Errorf("%s: a secret, or it listened:\n%s", c.args, stderr)
		}
	}
	if code, stdout, stderr := testproc.Run(t, wrong, "", "--help"); code != 0 || !strings.Contains(stdout, "Usage: wxgate") || stderr != "" {
		t.Errorf("--help: exit code %d, %s", code, stderr)
	}
}

// TestFindingsServiceLinks: what Kubernetes sets for services called wxgate stops no start.
func TestFindingsServiceLinks(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WXGATE_SERVICE_HOST=10.0.0.1", "WXGATE_PORT=tcp://10.0.0.1:8000", "WXGATE_PORT_8000_TCP_ADDR=10.0.0.1",
		"WXGATE_GATEWAY_SERVICE_PORT_PUBLIC=8000", "WXGATE_FAKE=http://127.0.0.1:1")...), "serve")
	if got := testproc.Say(t, testproc.SenderTo(p.Addr("listen"), "safe"), "text", "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
}
