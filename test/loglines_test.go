package test

import (
	"strings"
	"testing"

	"wxgate/test/testproc"
)

// TestFindingsLogLinesHaveEachKeyOnce: strict JSON parsers take every line of a login, which calls oauthsvc twice. The
// lines of all other processes are checked when they end.
func TestFindingsLogLinesHaveEachKeyOnce(t *testing.T) {
	t.Parallel()
	p := testproc.Start(t, testproc.Env(testproc.AccountEnv...), "dev")
	testproc.Login(t, "http://"+p.Addr("listen"))
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if log := p.Logged(); !strings.Contains(log, `"oauth":{`) || !strings.Contains(log, `"oauth_2":{`) {
		t.Errorf("no line has both calls:\n%s", log)
	}
}
