// Package configfile reads the YAML files that people edit: every problem is found at once and has its line and column,
// and a file that changes is loaded again while the process runs.
package configfile

import (
	"fmt"
	"strings"
)

// Problem is something wrong in a file, and what was expected.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0: the file as a whole
	In           string // the part of the file, such as: rule "greeting"; "" outside one
	Text         string
}

func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.In != "" {
		b.WriteString(p.In + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is everything wrong, a line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}
