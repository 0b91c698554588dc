package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
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
	for _, d := range []document{english, chinese} {
		for i, link := range d.links {
			link, _, _ = strings.Cut(link, "#")                   // headings are words too
			d.links[i] = strings.Replace(link, ".zh-CN.", ".", 1) // other documents have two languages too
		}
	}
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
			path, heading, inside := strings.Cut(target, "#")
			if path == "" {
				path = name
			}
			text, err := os.ReadFile(filepath.Join("..", path))
			if inside && err == nil && !slices.Contains(anchors(string(text)), heading) {
				err = fmt.Errorf("no such heading")
			}
			if info, dirErr := os.Stat(filepath.Join("..", path)); dirErr == nil && info.IsDir() {
				err = nil
			}
			if err != nil {
				t.Errorf("%s: link to %s: %v", name, target, err)
			}
		}
	}
}

// anchors returns what a Markdown text's headings are linked by.
func anchors(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if marks, words, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.Trim(marks, "#") == "" && marks != "" {
			words = strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
					return unicode.ToLower(r)
				}
				return -1
			}, words)
			all = append(all, words)
		}
	}
	return all
}

// TestReadmeRules checks the example, and that the text below it says what the check says.
func TestReadmeRules(t *testing.T) {
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		examples := 0
		for _, block := range readDocument(t, name).blocks {
			source, ok := strings.CutPrefix(block, "```yaml\n")
			if !ok || !strings.HasPrefix(source, "rules:") {
				continue
			}
			examples++
			code, stdout, stderr := run(t, nil, "", "rules", "check", file(t, "rules.yaml", source))
			_, said, _ := strings.Cut(strings.TrimSpace(stdout), "rules.yaml: ")
			if code != 0 || stderr != "" || !strings.HasPrefix(said, "ok: ") || !strings.Contains(string(text), "`rules.yaml: "+said+"`") {
				t.Errorf("%s: the check of the example says %q, which is not in the text; %s", name, said, stderr)
			}
		}
		if examples == 0 {
			t.Errorf("%s has no example", name)
		}
	}
}
