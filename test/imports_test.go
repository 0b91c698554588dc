// Package test holds what looks at wxgate from outside: import rules, documents against code, whole processes.
package test

import (
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our packages each package may import. Packages of mayImportAll have no row.
var mayImport = map[string][]string{
	".":                        {"internal/cli"},
	"proto/wechat/v1":          {},
	"proto/replier/v1":         {"proto/wechat/v1"},
	"proto/oauth/v1":           {},
	"internal/wechat":          {"proto/wechat/v1"},
	"internal/rebinding":       {},
	"internal/service":         {"internal/rebinding"},
	"internal/service/testca":  {},
	"internal/testaddr":        {},
	"test/testproc":            {"fakewechat", "fakewechat/sender"},
	"fakewechat":               {"fakewechat/sender", "internal/rebinding", "internal/wechat", "proto/wechat/v1"},
	"fakewechat/sender":        {"internal/wechat", "proto/wechat/v1"},
	"internal/loadgen":         {"fakewechat/sender"},
	"internal/rest/replier/v1": {"proto/replier/v1"},
	"internal/rest/oauth/v1":   {"proto/oauth/v1"},
	"bench":                    {"internal/wechat", "proto/wechat/v1", "proto/replier/v1"},
	"bench/bare":               {},
	"bench/parts":              {"internal/wechat", "proto/wechat/v1"},
	"internal/configfile":      {"internal/service"},
	"internal/store":           {"internal/service"},
	"internal/store/storetest": {"internal/testaddr"},
	"internal/accounts":        {"internal/configfile", "internal/service"},
	"internal/backlog":         {"internal/service", "internal/store", "proto/wechat/v1", "proto/replier/v1"},
	"gateway/login":            {"internal/service", "proto/oauth/v1"},
	"gateway":                  {"gateway/login", "internal/accounts", "internal/backlog", "internal/configfile", "internal/rest/oauth/v1", "internal/rest/replier/v1", "internal/service", "internal/wechat", "proto/wechat/v1", "proto/replier/v1", "proto/oauth/v1"},
	"replier":                  {"internal/accounts", "internal/backlog", "internal/configfile", "internal/service", "proto/wechat/v1", "proto/replier/v1", "proto/oauth/v1", "replier/rules"},
	"replier/rules":            {"internal/accounts", "internal/configfile", "internal/service", "proto/wechat/v1"},
	"oauthsvc":                 {"internal/accounts", "internal/configfile", "internal/service", "internal/store", "oauthsvc/wechatapi", "proto/oauth/v1"},
	"oauthsvc/wechatapi":       {"internal/service", "proto/oauth/v1"},
	"examples/go":              {"replier", "proto/wechat/v1"},
}

// contracts are what bots and other services import.
var contracts = []string{"./proto/wechat/v1", "./proto/replier/v1", "./proto/oauth/v1"}

// TestContractsAreLight: who imports a contract links gRPC and protobuf, not what serves REST; and its documentation describes it.
func TestContractsAreLight(t *testing.T) {
	t.Parallel()
	for _, contract := range contracts {
		deps := runGo(t, "list", "-deps", "-f", "{{.ImportPath}}", contract)
		if strings.Contains(deps, "grpc-gateway") {
			t.Errorf("%s links grpc-gateway", contract)
		}
		if doc := runGo(t, "doc", contract); !strings.Contains(doc, "\nPackage ") || strings.Contains(doc, "reverse proxy") {
			t.Errorf("go doc %s does not say what it is:\n%.300s", contract, doc)
		}
	}
}

func runGo(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// mayImportAll sees all packages.
var mayImportAll = []string{"internal/cli", "test"}

func TestImports(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "tools" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		seen[pkg] = true
		allowed, restricted := mayImport[pkg]
		if !restricted && !slices.Contains(mayImportAll, pkg) {
			t.Errorf("%s: package %s has no rule; add it to mayImport", file, pkg)
		}
		for _, spec := range source.Imports {
			ours, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "wxgate/")
			if ok && restricted && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s; %s may import only %v", file, ours, pkg, allowed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("there is a rule for package %s, but no such package", pkg)
		}
	}
}
