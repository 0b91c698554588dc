package test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// figures measure how easily the hand-written code that ships reads: no tests, no generated files.
type figures struct {
	names, oneWord int                 // functions, methods and types
	oneWordNames   map[string][]string // by package
	packageNames   map[string]int      // how many names a package has
	hiding         []string            // locals that hide a name of their package, or a builtin: "file:line: name"
	words          int                 // of comments
	where, nouns   int                 // of these "where", and "what", "who" and their kin
	tellsWhether   int
	longFiles      []string // over 300 lines
	longFunctions  []string // over 60 lines
	packageFiles   map[string]int
}

// TestReadability keeps the figures from getting worse. -v shows them all.
func TestReadability(t *testing.T) {
	t.Parallel()
	f := measure(t)
	t.Logf("one-word names: %d of %d, %.0f %%", f.oneWord, f.names, f.oneWordPercent())
	t.Logf("locals that hide a name: %d", len(f.hiding))
	t.Logf("of 1,000 comment words: where %.1f, what and who %.1f (of %d)", f.perThousand(f.where), f.perThousand(f.nouns), f.words)
	t.Logf("tells whether: %d", f.tellsWhether)
	t.Logf("files over 300 lines: %d %v", len(f.longFiles), f.longFiles)
	t.Logf("functions over 60 lines: %d %v", len(f.longFunctions), f.longFunctions)
	largest := slices.MaxFunc(slices.Collect(maps.Keys(f.packageFiles)), func(a, b string) int { return f.packageFiles[a] - f.packageFiles[b] })
	t.Logf("largest package: %s, %d files", largest, f.packageFiles[largest])
	for _, bound := range []struct {
		figure     string
		got, limit float64
	}{
		{"per cent of one-word names", f.oneWordPercent(), 40},
		{"locals that hide a name", float64(len(f.hiding)), 5},
		{"where in 1,000 comment words", f.perThousand(f.where), 2},
		{"what and who in 1,000 comment words", f.perThousand(f.nouns), 4},
		{"comments with tells whether", float64(f.tellsWhether), 0},
		{"files over 300 lines", float64(len(f.longFiles)), 2},
		{"functions over 60 lines", float64(len(f.longFunctions)), 0},
		{"files of the largest package", float64(f.packageFiles[largest]), 31},
	} {
		if bound.got > bound.limit {
			t.Errorf("%s: %.1f; at most %.0f are allowed", bound.figure, bound.got, bound.limit)
		}
	}
	for _, hidden := range f.hiding {
		t.Log(hidden)
	}
	for _, folder := range slices.Sorted(maps.Keys(f.oneWordNames)) {
		names := f.oneWordNames[folder]
		slices.Sort(names)
		t.Logf("%s: %d of %d names have one word, %d %%: %s", folder, len(names), f.packageNames[folder], 100*len(names)/f.packageNames[folder], strings.Join(names, " "))
	}
}

func (f *figures) oneWordPercent() float64 { return 100 * float64(f.oneWord) / float64(f.names) }

func (f *figures) perThousand(n int) float64 { return 1000 * float64(n) / float64(f.words) }

// measure reads all packages of the repository.
func measure(t *testing.T) *figures {
	t.Helper()
	f := &figures{packageFiles: map[string]int{}, oneWordNames: map[string][]string{}, packageNames: map[string]int{}}
	folders := map[string][]string{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "tools" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..") {
			return fs.SkipDir
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, ".pb.") {
			folders[filepath.Dir(file)] = append(folders[filepath.Dir(file)], file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, files := range folders {
		f.packageFiles[strings.TrimPrefix(folder, "../")] = len(files)
		f.measurePackage(t, files)
	}
	slices.Sort(f.hiding)
	return f
}

func (f *figures) measurePackage(t *testing.T, files []string) {
	t.Helper()
	set := gotoken.NewFileSet()
	var parsed []*ast.File
	for _, file := range files {
		source, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, source)
		f.measureFile(set, filepath.Dir(file), source)
	}
	f.findHiding(set, parsed)
}

func (f *figures) measureFile(set *gotoken.FileSet, folder string, source *ast.File) {
	if file := set.File(source.Pos()); file.LineCount() > 300 {
		f.longFiles = append(f.longFiles, file.Name())
	}
	for _, group := range source.Comments {
		f.measureComment(group.Text())
	}
	for _, declaration := range source.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			f.addName(folder, d.Name.Name)
			if start, end := set.Position(d.Pos()), set.Position(d.End()); end.Line-start.Line+1 > 60 {
				f.longFunctions = append(f.longFunctions, start.String())
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					f.addName(folder, s.Name.Name)
				}
			}
		}
	}
}

var (
	commentWord  = regexp.MustCompile(`[A-Za-z']+`)
	nounWord     = regexp.MustCompile(`(?i)^(what|who|whom|whose|whoever|whatever)$`)
	tellsWhether = regexp.MustCompile(`(?i)tells\s+whether`)
)

func (f *figures) measureComment(text string) {
	for _, word := range commentWord.FindAllString(text, -1) {
		f.words++
		switch {
		case strings.EqualFold(word, "where"):
			f.where++
		case nounWord.MatchString(word):
			f.nouns++
		}
	}
	f.tellsWhether += len(tellsWhether.FindAllString(text, -1))
}

// addName counts a name; one of a single word has no capital letter after a small one, such as open, Open or URL.
func (f *figures) addName(folder, name string) {
	if name == "main" || name == "_" {
		return
	}
	f.names++
	f.packageNames[folder]++
	letters := []rune(name)
	for i := 1; i < len(letters); i++ {
		next := i+1 < len(letters) && unicode.IsLower(letters[i+1])
		if unicode.IsUpper(letters[i]) && (unicode.IsLower(letters[i-1]) || unicode.IsDigit(letters[i-1]) || next) {
			return
		}
	}
	f.oneWord++
	f.oneWordNames[folder] = append(f.oneWordNames[folder], name)
}

// noImporter imports nothing: hiding is a matter of names alone.
type noImporter struct{}

func (noImporter) Import(path string) (*types.Package, error) {
	pkg := types.NewPackage(path, filepath.Base(path))
	pkg.MarkComplete()
	return pkg, nil
}

// findHiding finds the locals that have the name of a type or function of their package, of an import, or of a builtin.
func (f *figures) findHiding(set *gotoken.FileSet, files []*ast.File) {
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImporter{}, Error: func(error) {}}
	pkg, _ := config.Check("p", set, files, info) // types of imports are missing: scopes are right all the same
	for name, object := range info.Defs {
		variable, ok := object.(*types.Var)
		if !ok || variable.IsField() || variable.Parent() == nil || variable.Parent() == pkg.Scope() {
			continue
		}
		_, hidden := variable.Parent().Parent().LookupParent(name.Name, gotoken.NoPos)
		switch hidden.(type) {
		case *types.TypeName, *types.Func, *types.PkgName, *types.Builtin:
			f.hiding = append(f.hiding, set.Position(name.Pos()).String()+": "+name.Name)
		}
	}
}
