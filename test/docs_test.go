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

	"wxgate/test/testproc"

	"github.com/google/go-cmp/cmp"
)

// document is what a Markdown text is made of.
type document struct {
	headings []string // the marks before the words: "##"
	tables   []string // rows of tables, by heading: "## 3: 12"
	blocks   []string // code, without comments
	links    []string // their targets
	settings []string // rows of the configuration table, without the meaning
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|<(https?://[^>]+)>`)
	comment = regexp.MustCompile(`(?m)(^|\s+)(#|//) .*$`)
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
			d.links = append(d.links, found[1]+found[2])
		}
	}
	endTables()
	return d
}

// documents returns the documents of a reader, each in English, by their paths from the repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	english := []string{"README.md"}
	for _, file := range files {
		if !strings.HasSuffix(file, ".zh-CN.md") {
			english = append(english, strings.TrimPrefix(file, "../"))
		}
	}
	return english
}

func inChinese(file string) string { return strings.TrimSuffix(file, ".md") + ".zh-CN.md" }

// TestDocumentsAgree compares the two languages of each document: a change of one that forgets the other fails here.
func TestDocumentsAgree(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		if file == "docs/RULES.md" { // its blocks are translated too: the tests of the rules compare them
			continue
		}
		english, chinese := readDocument(t, file), readDocument(t, inChinese(file))
		for _, d := range []document{english, chinese} {
			for i, link := range d.links {
				link, _, _ = strings.Cut(link, "#") // headings are words too
				d.links[i] = strings.Replace(link, ".zh-CN.", ".", 1)
			}
			slices.Sort(d.links) // a sentence has another order in another language
		}
		if diff := cmp.Diff(english, chinese, cmp.AllowUnexported(document{})); diff != "" {
			t.Errorf("%s and its Chinese twin differ (-English +Chinese):\n%s", file, diff)
		}
	}
	if d := readDocument(t, "README.md"); len(d.headings) < 2 || len(d.blocks) == 0 || len(d.links) == 0 {
		t.Errorf("README.md was not understood: %+v", d)
	}
}

// TestReadmeIsShort: the README is for a reader who skims; reference matter is in docs/.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	const maxLines, maxWords = 180, 1500
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		data, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		lines, words := strings.Count(string(data), "\n"), len(strings.Fields(string(data)))
		if lines > maxLines || words > maxWords {
			t.Errorf("%s has %d lines and %d words; at most %d and %d are allowed", file, lines, words, maxLines, maxWords)
		}
	}
}

func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	files := []string{"CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
	for _, file := range documents(t) {
		files = append(files, file, inChinese(file))
	}
	for _, file := range files {
		for _, target := range readDocument(t, file).links {
			if strings.Contains(target, "://") {
				continue
			}
			linked, heading, inside := strings.Cut(target, "#")
			linked = filepath.Join("..", filepath.Dir(file), linked)
			if strings.HasPrefix(target, "#") {
				linked = filepath.Join("..", file)
			}
			info, err := os.Stat(linked)
			if err != nil {
				t.Errorf("%s: link to %s: %v", file, target, err)
				continue
			}
			if !inside || info.IsDir() {
				continue
			}
			text, err := os.ReadFile(linked)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(anchors(string(text)), heading) {
				t.Errorf("%s: link to %s: no such heading", file, target)
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
	t.Parallel()
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
			code, stdout, stderr := testproc.Run(t, nil, "", "rules", "check", testproc.File(t, "rules.yaml", source))
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

// TestArchitecture: the files and tests that docs/ARCHITECTURE.md names exist.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, pattern := range []string{"../*_test.go", "../*/*_test.go", "../*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range declared.FindAllSubmatch(source, -1) {
				tests[string(match[1])] = true
			}
		}
	}
	quoted := regexp.MustCompile("`([^`\n]+)`")
	for _, name := range []string{"docs/ARCHITECTURE.md", "docs/ARCHITECTURE.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for _, match := range quoted.FindAllStringSubmatch(string(text), -1) {
			word := match[1]
			switch {
			case strings.HasSuffix(word, ".go"):
				if _, err := os.Stat(filepath.Join("..", word)); err != nil {
					t.Errorf("%s names %s: %v", name, word, err)
				}
			case strings.HasPrefix(word, "Test"):
				if !tests[word] {
					t.Errorf("%s names %s: no such test", name, word)
				}
			default:
				continue
			}
			named++
		}
		if named < 40 {
			t.Errorf("%s names %d files and tests; expected more", name, named)
		}
	}
}
