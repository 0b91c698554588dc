package cli

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/service"
)

// TestNameSettings: errors about settings begin with flag and variables, those of packages and those of the parser.
func TestNameSettings(t *testing.T) {
	joined := errors.Join(service.BadSetting("token", "holds a space"), errors.New("another"))
	for text, err := range map[string]error{
		"--reply-timeout (WXGATE_REPLY_TIMEOUT): 6s":                          service.BadSetting("reply timeout", "%s", "6s"),
		"--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE): holds a space\nanother": joined,
		"--faults (WXGATE_FAULTS): a\n--faults (WXGATE_FAULTS): b":            service.BadSetting("faults", "a\nb"),
		"--users: 0":         service.BadSetting("users", "0"),
		"no such setting: x": service.BadSetting("no such setting", "x"),
		"--max-skew (WXGATE_MAX_SKEW): expected duration":                               errors.New("--max-skew: expected duration"),
		"--log-format (WXGATE_LOG_FORMAT): expected one of \"auto\",\"text\" but got x": errors.New(`--log-format must be one of "auto","text" but got x`),
		"rules.yaml:1:1: the file is empty":                                             errors.New("rules.yaml:1:1: the file is empty"),
	} {
		got := nameSettings(err, model(t).Model)
		if diff := cmp.Diff(text, got.Error()); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	}
	if nameSettings(nil, model(t).Model) != nil {
		t.Error("nil becomes an error")
	}
	exit := fmt.Errorf("--max-skew: %w", exitError(80))
	if code, ok := errors.AsType[exitError](nameSettings(exit, model(t).Model)); !ok || code != 80 {
		t.Error("the exit code of the parser is lost")
	}
}

type exitError int

func (e exitError) Error() string { return "exit" }

// TestSettingsHaveFlags: each setting that a package names in an error has a flag.
func TestSettingsHaveFlags(t *testing.T) {
	var flags []string
	for _, command := range model(t).Model.Leaves(false) {
		for _, flag := range command.Flags {
			flags = append(flags, flag.Name)
		}
	}
	found := 0
	for _, root := range []string{"../../gateway", "../../replier", "../../oauthsvc", "../../internal"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for name := range settingsNamedIn(file) {
				found++
				if !slices.Contains(flags, strings.ReplaceAll(name, " ", "-")) {
					t.Errorf("%s: the setting %q has no flag", path, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 20 {
		t.Errorf("only %d settings are named in errors", found)
	}
}

// settingsNamedIn yields the names of settings in the calls of service.BadSetting.
func settingsNamedIn(file *ast.File) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for node := range ast.Preorder(file) {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				continue
			}
			name, ok := call.Args[0].(*ast.BasicLit)
			called := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				called = f.Name
			case *ast.SelectorExpr:
				called = f.Sel.Name
			}
			if !ok || called != "BadSetting" {
				continue
			}
			if text, err := strconv.Unquote(name.Value); err == nil && !yield(text) {
				return
			}
		}
	}
}

// TestHelp: each flag has a sentence of help; a size says its unit.
func TestHelp(t *testing.T) {
	for _, command := range model(t).Model.Leaves(false) {
		for _, flag := range command.Flags {
			if !strings.HasSuffix(flag.Help, ".") {
				t.Errorf("%s --%s: help %q; expected a sentence", command.Name, flag.Name, flag.Help)
			}
			if _, isSize := reflect.TypeAssert[mebibytes](flag.Target); isSize && !strings.Contains(flag.Help, "MiB") {
				t.Errorf("%s --%s: help %q does not say the unit", command.Name, flag.Name, flag.Help)
			}
		}
	}
}
