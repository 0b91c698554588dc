// Package configfile reads the YAML files that people edit. It reports all problems at once, with line and column, and loads a
// file again when it changes while the process runs.
package configfile

import (
	"fmt"
	"strings"
)

// Problem is an error in a file. The text also says what was expected.
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

// Problems are all errors of a load. As an error they have a line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}
