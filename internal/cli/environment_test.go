package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsUnknownVariables: a variable that no setting has is an error, with the name that was probably meant. What
// Kubernetes sets for services, and what is for others than wxgate, is none.
func TestFindingsUnknownVariables(t *testing.T) {
	known := knownVariables(model(t).Model)
	for pair, want := range map[string]string{
		"WXGATE_SESION_KEY=x":       `WXGATE_SESION_KEY: no setting has this variable; did you mean "WXGATE_SESSION_KEY"?; correct its name or remove it`,
		"WXGATE_TOKEN=x":            `WXGATE_TOKEN: no setting has this variable; did you mean "WECHAT_TOKEN"?; correct its name or remove it`,
		"WECHAT_LISTEN=x":           `WECHAT_LISTEN: no setting has this variable; did you mean "WXGATE_LISTEN"?; correct its name or remove it`,
		"WECHAT_TOKEN_FIL=x":        `WECHAT_TOKEN_FIL: no setting has this variable; did you mean "WECHAT_TOKEN_FILE"?; correct its name or remove it`,
		"WXGATE_SOMETHING_NEW=x":    "WXGATE_SOMETHING_NEW: no setting has this variable; correct its name or remove it",
		"WXGATE_LISTEN_PORT=8000":   "WXGATE_LISTEN_PORT: no setting has this variable; correct its name or remove it",
		"WXGATE_LISTEN_FILE=x":      "WXGATE_LISTEN_FILE: no setting has this variable; correct its name or remove it",
		"WXGATE_SESION_KEY=":        "",
		"WXGATE_SESSION_KEY_FILE=x": "",
		"WXGATE_FAKE=x":             "", // another command's
		"WXGATE_CHAOS=10m":          "",
		"OTHER_VARIABLE=x":          "",
		"WXGATE=x":                  "",

		"WXGATE_PORT=8000":                                          "", // docker-compose.yml's
		"WXGATE_PORT=tcp://10.0.0.1:8000":                           "",
		"WXGATE_SERVICE_HOST=10.0.0.1":                              "",
		"WXGATE_SERVICE_PORT=8000":                                  "",
		"WXGATE_GATEWAY_SERVICE_PORT_PUBLIC=8000":                   "",
		"WXGATE_GATEWAY_PORT=tcp://10.0.0.1:8000":                   "",
		"WXGATE_PORT_8000_TCP=tcp://10.0.0.1:8000":                  "",
		"WXGATE_PORT_8000_TCP_PROTO=tcp":                            "",
		"WXGATE_PORT_8000_TCP_PORT=8000":                            "",
		"WECHAT_BOT_PORT_9001_TCP_ADDR=10.0.0.1":                    "",
		"WXGATE_NATS_HEADLESS_SERVICE_PORT_CLIENT_MONITORING8=8222": "",
	} {
		got := ""
		if err := unknownVariables(known, []string{pair}); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pair, diff)
		}
	}
	if err := unknownVariables(known, []string{"WXGATE_A=1", "WXGATE_B=2"}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two unknown variables: %v", err)
	}
}

// TestVariablesOfOurFiles: no variable that our own files set or read stops a start.
func TestVariablesOfOurFiles(t *testing.T) {
	const root = "../../"
	files := []string{"docker-compose.yml", "Makefile", "Dockerfile", ".ci/run", "test/compose.sh", "test/compose.env"}
	for _, pattern := range []string{"deploy/*", "deploy/*/*", "docs/*.md", "*.md", "test/*.go", "test/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, file := range found {
			files = append(files, strings.TrimPrefix(file, root))
		}
	}
	known, variable := knownVariables(model(t).Model), regexp.MustCompile(`\b(WXGATE|WECHAT)_[A-Z][A-Z0-9_]*[A-Z0-9]\b`)
	for _, file := range files {
		text, err := os.ReadFile(root + file)
		if info, statErr := os.Stat(root + file); statErr == nil && info.IsDir() || strings.HasPrefix(filepath.Base(file), "cli_") {
			continue // cli_test.go has wrong ones
		} else if err != nil {
			t.Fatal(err)
		}
		for _, name := range variable.FindAllString(string(text), -1) {
			if err := unknownVariables(known, []string{name + "=x"}); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
