package test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wxgate/test/testproc"
)

// TestFindingsImageKnowsItsVersion: a build without version control, as the Dockerfile's, says the version that it is given,
// on the command line and in the metrics.
func TestFindingsImageKnowsItsVersion(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stamp := regexp.MustCompile(`-X [a-zA-Z./]+=\$\{VERSION\}`).FindString(string(dockerfile))
	if stamp == "" || !strings.Contains(string(dockerfile), "\nARG VERSION") {
		t.Fatalf("the Dockerfile gives no version to the build:\n%s", dockerfile)
	}
	const version = "v1.2.3-test"
	stamped := filepath.Join(t.TempDir(), "wxgate")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", strings.ReplaceAll(stamp, "${VERSION}", version), "-o", stamped, "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), stamped, "--version").Output()
	if err != nil || strings.TrimSpace(string(out)) != version {
		t.Errorf("--version: %q, %v; want %q", out, err, version)
	}
	p := testproc.StartBinary(t, stamped, testproc.Env(), "replier")
	metrics := testproc.Get(t, http.DefaultClient, "http://"+p.Addr("internal-listen")+"/metrics")
	if !strings.Contains(metrics, `wxgate_build_info{version="`+version+`"} 1`) {
		t.Errorf("no wxgate_build_info with %s in\n%s", version, metrics)
	}
}
