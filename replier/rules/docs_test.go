package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/configfile"
)

// manuals are the two languages of one text.
var manuals = []string{"../../docs/RULES.md", "../../docs/RULES.zh-CN.md"}

func readManual(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	tableRow  = regexp.MustCompile(`(?m)^\| (.*) \|$`)
	heading   = regexp.MustCompile(`(?m)^(#+) (.*)$`)
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code      = regexp.MustCompile("`[^`]+`")
)

// TestManualRules: each block of YAML is a rules file that meets its own expectations.
func TestManualRules(t *testing.T) {
	schema := newSchemas(t).part(t, "")
	for _, path := range manuals {
		blocks := 0
		for _, block := range codeBlock.FindAllStringSubmatch(readManual(t, path), -1) {
			if block[1] != "yaml" {
				continue
			}
			blocks++
			name := filepath.Join("..", "..", "examples", "rules", "manual.yaml") // the files that it includes are in this folder
			rules, err := Parse(name, []byte(block[2]))
			if err != nil {
				t.Errorf("%s: %v\n%s", path, err, block[2])
				continue
			}
			for _, problem := range slices.Concat(rules.Warnings(), rules.Check(t.Context())) {
				t.Errorf("%s: %s\n%s", path, problem, block[2])
			}
			doc := (&configfile.Load{}).ParseYAML(name, []byte(block[2]))
			if err := schema.Validate(valueOf(doc.Root)); err != nil {
				t.Errorf("%s: %v\n%s", path, err, block[2])
			}
		}
		if blocks < 10 {
			t.Errorf("%s: only %d blocks of YAML were found", path, blocks)
		}
	}
}

// TestManualExpressions: the expressions that the tables list as available compile; those listed as missing do not.
// Fields that are named anywhere are fields of a message.
func TestManualExpressions(t *testing.T) {
	compiles := func(source string) bool {
		x, err := newCompiler()
		if err != nil {
			t.Fatal(err)
		}
		_, problems := x.compileExpression(source, printable, "a text or a number")
		return len(problems) == 0
	}
	for _, path := range manuals {
		text := readManual(t, path)
		found := map[bool]int{}
		var there, inTable bool
		for line := range strings.Lines(text) {
			cells := strings.Split(strings.TrimSpace(line), " | ")
			switch first := strings.TrimPrefix(cells[0], "| "); {
			case !strings.HasPrefix(line, "|"):
				inTable = false
			case first == "expression" || first == "表达式":
				inTable, there = true, true
			case first == "not there" || first == "没有的":
				inTable, there = true, false
			case inTable && strings.HasPrefix(first, "`"):
				source := strings.ReplaceAll(strings.Trim(first, "`"), `\|`, "|")
				if compiles(source) != there {
					t.Errorf("%s: %s: whether it compiles is not as the table says", path, source)
				}
				found[there]++
			}
		}
		if found[true] < 10 || found[false] < 3 {
			t.Errorf("%s: only %v expressions were found", path, found)
		}
		fields := regexp.MustCompile("`(message(?:\\.[a-z0-9_]+)+)`").FindAllStringSubmatch(text, -1)
		if len(fields) < 20 {
			t.Errorf("%s names %d fields, expected those of the table", path, len(fields))
		}
		for _, field := range fields {
			if !compiles("has(" + field[1] + ")") {
				t.Errorf("%s: %s is no field", path, field[1])
			}
		}
	}
}

// TestManualsAgree compares the two languages: a change of one that forgets the other fails here.
func TestManualsAgree(t *testing.T) {
	type outline struct {
		Headings []string // the marks before the words
		Rows     []string // the keys that the rows of tables are about
		Blocks   []string // code that is not YAML, and the names of the rules in YAML code
		Links    []string
	}
	read := func(path string) outline {
		text := readManual(t, path)
		var o outline
		for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
			if block[1] == "yaml" {
				rules, err := Parse("../../examples/rules/manual.yaml", []byte(block[2]))
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				for _, rule := range rules.list {
					o.Blocks = append(o.Blocks, rule.Name)
				}
				continue
			}
			o.Blocks = append(o.Blocks, block[2])
		}
		text = codeBlock.ReplaceAllString(text, "")
		for _, match := range heading.FindAllStringSubmatch(text, -1) {
			o.Headings = append(o.Headings, match[1])
		}
		for _, match := range tableRow.FindAllStringSubmatch(text, -1) {
			first, _, _ := strings.Cut(match[1], " | ")
			o.Rows = append(o.Rows, strings.Join(code.FindAllString(first, -1), " "))
		}
		for _, match := range mdLink.FindAllStringSubmatch(text, -1) {
			if target := match[1]; !strings.HasPrefix(target, "RULES") && !strings.HasPrefix(target, "#") {
				o.Links = append(o.Links, target)
			}
		}
		slices.Sort(o.Links) // a sentence has another order in another language
		return o
	}
	if diff := cmp.Diff(read(manuals[0]), read(manuals[1])); diff != "" {
		t.Errorf("the manuals differ (-English +Chinese):\n%s", diff)
	}
}

func TestManualLinks(t *testing.T) {
	for _, path := range manuals {
		text := readManual(t, path)
		var headings []string
		for _, match := range heading.FindAllStringSubmatch(text, -1) {
			headings = append(headings, "#"+strings.ReplaceAll(strings.ToLower(match[2]), " ", "-"))
		}
		for _, match := range mdLink.FindAllStringSubmatch(text, -1) {
			target := match[1]
			switch {
			case strings.Contains(target, "://"):
			case strings.HasPrefix(target, "#"):
				if !slices.Contains(headings, target) {
					t.Errorf("%s: no heading for %s", path, target)
				}
			default:
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), target)); err != nil {
					t.Errorf("%s: link to %s: %v", path, target, err)
				}
			}
		}
	}
}
