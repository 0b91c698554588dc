package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"wxgate/internal/service"
)

// tables are the documents that list all settings, in two languages.
var tables = []string{"../../docs/CONFIGURATION.md", "../../docs/CONFIGURATION.zh-CN.md"}

// model returns the command line as kong sees it, whatever the environment of the test says.
func model(t *testing.T) *kong.Kong {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "WECHAT_") || strings.HasPrefix(name, "WXGATE_") {
			t.Setenv(name, "") // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	parser, err := newParser(t.Context(), &commandLine{})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// setting is what a row of the configuration table says besides the meaning, as it stands there.
type setting struct{ env, defaults, roles string }

// settings returns the rows that the command line asks for, by flag.
func settings(t *testing.T) map[string]setting {
	t.Helper()
	rows := map[string]setting{}
	first := map[string]string{} // the first role's default
	for _, command := range model(t).Model.Leaves(false) {
		for _, flag := range command.Flags {
			if len(flag.Envs) == 0 {
				continue
			}
			name, value := "`--"+flag.Name+"`", "—"
			if flag.HasDefault {
				value = "`" + flag.Default + "`"
			}
			env := "`" + strings.Join(flag.Envs, "`, `") + "`"
			if flag.Target.Type() == reflect.TypeFor[service.Secret]() {
				if !slices.Contains(secretVariables, flag.Envs[0]) {
					t.Errorf("%s is a secret that cannot come from a file; add it to secretVariables", name)
				}
				env += ", `" + flag.Envs[0] + "_FILE`"
			}
			row, known := rows[name]
			switch {
			case !known:
				first[name] = value
				row = setting{env, value, command.Name}
			case row.env != env:
				t.Errorf("%s has another variable in %s: %s", name, command.Name, env)
			default:
				row.roles += ", " + command.Name
				if value != first[name] {
					row.defaults += "; " + command.Name + " " + value
				}
			}
			rows[name] = row
		}
	}
	return rows
}

func TestConfigurationTable(t *testing.T) {
	want := settings(t)
	if len(want) == 0 {
		t.Fatal("no flag has a variable")
	}
	for _, file := range tables {
		got := map[string]setting{}
		for line := range strings.Lines(read(t, file)) {
			cells := strings.Split(strings.TrimSpace(line), " | ")
			name, ok := strings.CutPrefix(cells[0], "| ")
			if !ok || !strings.HasPrefix(name, "`--") {
				continue
			}
			if len(cells) != 5 {
				t.Errorf("%s: %s: %d cells, expected 5", file, name, len(cells))
				continue
			}
			if _, twice := got[name]; twice {
				t.Errorf("%s: %s has two rows", file, name)
			}
			got[name] = setting{cells[1], cells[2], cells[3]}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(setting{})); diff != "" {
			t.Errorf("%s: the configuration table is not that of the flags (-flags +table):\n%s", file, diff)
		}
	}
}

// TestCommandLines parses every command line of ours that the documents show.
func TestCommandLines(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	readmes := []string{"../../README.md", "../../README.zh-CN.md"}
	for _, file := range slices.Concat(readmes, documents, []string{"../../CONTRIBUTING.md", "../../SECURITY.md"}) {
		lines := commandLines(read(t, file))
		if len(lines) == 0 && slices.Contains(readmes, file) {
			t.Errorf("%s shows no command line", file)
		}
		for _, args := range lines {
			if _, err := model(t).Parse(args); err != nil {
				t.Errorf("%s: wxgate %s: %v", file, strings.Join(args, " "), err)
			}
		}
	}
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commandLines returns the arguments of each command of ours in a document's shell blocks.
func commandLines(text string) [][]string {
	var all [][]string
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			line = strings.TrimSpace(line)
			for _, prefix := range []string{"go run . ", "wxgate ", "bin/wxgate "} {
				if command, ours := strings.CutPrefix(line, prefix); ours {
					all = append(all, words(command))
				}
			}
		}
	}
	return all
}

var word = regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+`)

// words splits a command as a shell does, up to a comment, a pipe, a redirection or the next command.
func words(command string) []string {
	var list []string
	for _, w := range word.FindAllString(command, -1) {
		if strings.ContainsAny(w[:1], "#|<>&;") {
			break
		}
		list = append(list, strings.Trim(w, `"'`))
	}
	return list
}

func TestWords(t *testing.T) {
	got := words(`send text "hello  you" 'a b' -- -1 # not this`)
	want := []string{"send", "text", "hello  you", "a b", "--", "-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"decode"}, words("decode < file.xml | jq .")); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
