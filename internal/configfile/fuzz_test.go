package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: no file breaks the parser or the reading of its nodes, and each problem has a place in the file.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, seed := range seeds {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, load := parse(text)
		for _, p := range append(load.Problems, load.Warnings()...) {
			if p.File != "f.yaml" || p.Line < 1 || p.Column < 1 || p.Text == "" {
				t.Errorf("no place or no text: %s", p)
			}
			// What YAML breaks lines at: \n, \r, and three of Unicode's.
			if most := 2 + strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") + strings.Count(text, "\u2028") + strings.Count(text, "\u2029"); p.Line > most {
				t.Errorf("line %d of %d: %s", p.Line, most, p)
			}
			if p.Column > len(text)+2 {
				t.Errorf("column %d in a file of %d bytes: %s", p.Column, len(text), p)
			}
		}
	})
}
