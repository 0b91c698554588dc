package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wxgate/replier"
)

// document is what a Markdown text is made of.
type document struct {
	headings []string // the marks before the words: "##"
	tables   []string // rows of tables, by heading: "## 3: 12"
	blocks   []string // code, without comments
	links    []string // targets but the other language's
	settings []string // rows of the configuration table, without the meaning
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|<(https?://[^>]+)>`)
	comment = regexp.MustCompile(`(?m)(^|\s+)# .*$`)
)

// readDocument reads a Markdown file of the repository's root.
func readDocument(t *testing.T, file string) document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	var block strings.Builder
	inBlock, rows := false, 0
	endTables := func() {
		d.tables = append(d.tables, fmt.Sprintf("section %d: %d rows", len(d.headings), rows))
		rows = 0
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(trimmed, "```") && inBlock:
			d.blocks = append(d.blocks, comment.ReplaceAllString(block.String(), ""))
			block.Reset()
			inBlock = false
		case strings.HasPrefix(trimmed, "```"):
			block.WriteString(line + "\n")
			inBlock = true
		case inBlock:
			block.WriteString(line + "\n")
		case strings.HasPrefix(line, "#"):
			endTables()
			d.headings = append(d.headings, strings.Fields(line)[0])
		case strings.HasPrefix(line, "|"):
			rows++
			if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `--") {
				d.settings = append(d.settings, strings.Join(cells[:len(cells)-1], " | "))
			}
		}
		if inBlock {
			continue
		}
		for _, found := range link.FindAllStringSubmatch(line, -1) {
			if target := found[1] + found[2]; !strings.HasPrefix(target, "README") {
				d.links = append(d.links, target)
			}
		}
	}
	endTables()
	return d
}

// TestReadmesAgree compares the two languages: a change of one that forgets the other fails here.
func TestReadmesAgree(t *testing.T) {
	english, chinese := readDocument(t, "README.md"), readDocument(t, "README.zh-CN.md")
	slices.Sort(english.links) // a sentence has another order in another language
	slices.Sort(chinese.links)
	if diff := cmp.Diff(english, chinese, cmp.AllowUnexported(document{})); diff != "" {
		t.Errorf("the READMEs differ (-English +Chinese):\n%s", diff)
	}
	if len(english.headings) < 2 || len(english.blocks) == 0 || len(english.settings) == 0 {
		t.Errorf("README.md was not understood: %+v", english)
	}
}

func TestReadmeLinks(t *testing.T) {
	files, err := filepath.Glob("../*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		for _, target := range append(readDocument(t, name).links, "README.md", "README.zh-CN.md") {
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: link to %s: %v", name, target, err)
			}
		}
	}
}

// TestReadmeRules loads the example and names every field of a message that the READMEs name.
func TestReadmeRules(t *testing.T) {
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		for _, block := range readDocument(t, name).blocks {
			source, ok := strings.CutPrefix(block, "```yaml\n")
			if !ok || !strings.HasPrefix(source, "rules:") {
				continue
			}
			rules, err := replier.ParseRules(name, []byte(source))
			if err != nil {
				t.Errorf("%s: the example: %v", name, err)
			} else if rules.Len() != 6 { // as the text below the example says
				t.Errorf("%s: the example has %d rules, expected 6", name, rules.Len())
			}
		}
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		fields := regexp.MustCompile("`(message(?:\\.[a-z0-9_]+)+)`").FindAllStringSubmatch(string(data), -1)
		if len(fields) < 20 {
			t.Errorf("%s names %d fields, expected those of the table", name, len(fields))
		}
		for _, field := range fields {
			rule := `rules: [{reply: {text: "{{ has(` + field[1] + `) }}"}}]`
			if _, err := replier.ParseRules(name, []byte(rule)); err != nil {
				t.Errorf("%s: %s: %v", name, field[1], err)
			}
		}
	}
}
