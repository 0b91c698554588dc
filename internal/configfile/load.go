package configfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/service"
)

// MaxSize is how large all the files of one load may be together, in bytes.
const MaxSize = 32 << 20

// Load is one reading of a file, and of the files that it names.
type Load struct {
	Problems Problems // why it cannot be used

	warnings Problems // the first maxWarnings
	warned   int      // how many there were
	kept     Problems
	changes  []any // attributes of the line that says what became of the load
	size     int
	files    []file
}

// Add makes a part, which was loaded apart, one of this load's: its files are watched too. Where it has problems, they
// are no problems of this load but are reported: what was loaded for the part before is expected to go on.
func (l *Load) Add(part *Load) {
	l.adopt(part)
	l.kept = append(l.kept, part.Problems...)
}

// NoteNames notes for the log which names a file has now that it had not before, and which it has no more. A nil before
// is a file that was not read until now.
func NoteNames[T any](l *Load, before, now map[string]T) {
	if before == nil {
		return
	}
	for _, change := range []struct {
		key         string
		these, from map[string]T
	}{{"added", now, before}, {"removed", before, now}} {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(change.these)) {
			if _, there := change.from[name]; !there {
				names = append(names, name)
			}
		}
		if more := len(names) - maxNoted; more > 0 {
			names = append(names[:maxNoted], fmt.Sprintf("and %d more", more))
		}
		if len(names) > 0 {
			l.changes = append(l.changes, slog.Any(change.key, names))
		}
	}
}

// maxNoted is how many names of each kind a log line has.
const maxNoted = 20

// Need makes a part one of this load's, as Add does; its problems are this load's.
func (l *Load) Need(part *Load) {
	l.adopt(part)
	l.Problems = append(l.Problems, part.Problems...)
}

func (l *Load) adopt(part *Load) {
	l.files = append(l.files, part.files...)
	l.changes = append(l.changes, part.changes...)
	for _, w := range part.warnings {
		l.Warn(w)
	}
	l.warned += part.warned - len(part.warnings)
}

// maxWarnings is how many warnings of a load are listed: a file may have as many as it has rules.
const maxWarnings = 50

// maxWarning is how many bytes of a warning's parts are kept: it may quote a word of the file.
const maxWarning = 1 << 10

// Warn notes what is probably not meant.
func (l *Load) Warn(w Problem) {
	if l.warned++; len(l.warnings) < maxWarnings {
		w.In, w.Text = service.Clip(w.In, maxWarning), service.Clip(w.Text, maxWarning)
		l.warnings = append(l.warnings, w)
	}
}

// Warned returns how often something is probably not meant.
func (l *Load) Warned() int { return l.warned }

// Warnings returns what is probably not meant. If that is much, the last one says how much more there is.
func (l *Load) Warnings() Problems {
	more := l.warned - len(l.warnings)
	if more == 0 {
		return l.warnings
	}
	return append(slices.Clone(l.warnings), Problem{File: l.warnings[0].File, Text: fmt.Sprintf("and %d more warnings", more)})
}

// file is a file as it was when it was read.
type file struct {
	path string
	info fs.FileInfo // nil: it is not there
	hash [sha256.Size]byte
}

// Read returns what a file holds. Problems with it are the caller's to report: the error says what is wrong, without the
// path.
func (l *Load) Read(path string) ([]byte, error) {
	data, f, err := l.read(path)
	f.path = path
	l.files = append(l.files, f)
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, inPath.Err
	}
	return data, err
}

func (l *Load) read(path string) (data []byte, f file, err error) {
	in, info, err := service.OpenRegular(path)
	f.info = info // also of a file that is there, but not for us; else it would seem to change all the time
	if err != nil {
		return nil, f, err
	}
	defer in.Close()
	if data, err = io.ReadAll(io.LimitReader(in, int64(MaxSize-l.size)+1)); err != nil {
		return nil, f, err
	}
	if l.size += len(data); l.size > MaxSize {
		return nil, f, fmt.Errorf("larger than %d MiB, which is the most for a file and all that it includes", MaxSize>>20)
	}
	f.hash = sha256.Sum256(data)
	return data, f, nil
}

// Files returns the paths read so far.
func (l *Load) Files() []string {
	paths := make([]string, len(l.files))
	for i := range l.files {
		paths[i] = l.files[i].path
	}
	return paths
}

// Hash returns the SHA-256 of all that was read, in hex.
func (l *Load) Hash() string {
	all := sha256.New()
	for _, f := range l.files {
		all.Write(f.hash[:])
	}
	return hex.EncodeToString(all.Sum(nil))
}

// Changed tells whether a file is another now than when it was read.
func (l *Load) Changed() bool { return !same(look(l.files), l.files) }

// Err returns the problems, nil where there are none.
func (l *Load) Err() error {
	if len(l.Problems) == 0 {
		return nil
	}
	return l.Problems
}

// Fail notes a problem with a whole file.
func (l *Load) Fail(file, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{File: file, Text: fmt.Sprintf(format, args...)})
}

// Open reads a file as YAML; nil where it cannot be, which is a problem then.
func (l *Load) Open(path string) *Document {
	data, err := l.Read(path)
	if err != nil {
		l.Fail(path, "%v", err)
		return nil
	}
	return l.Parse(path, data)
}

// Parse reads data as the YAML of a file; nil where it is not, which is a problem then.
func (l *Load) Parse(file string, data []byte) *Document {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows editors write it
	d := &Document{load: l, file: file, data: data}
	if !utf8.Valid(data) {
		d.failAt(1, 1, "not UTF-8: save the file in this encoding")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && IsNull(doc.Content[0]) && doc.Content[0].Value == "" {
		d.failAt(1, 1, "the file is empty")
		return nil
	}
	if err == nil {
		if err = dec.Decode(&second); errors.Is(err, io.EOF) {
			d.Root = doc.Content[0]
			return d
		}
	}
	var syntax *yaml.LoadError
	switch {
	case err == nil:
		d.failAt(second.Content[0].Line, second.Content[0].Column, "a second YAML document; expected one")
	case errors.As(err, &syntax):
		d.failSyntax(syntax)
	default:
		d.failAt(1, 1, "not YAML: %v", err)
	}
	return nil
}

// bracesValue is a line whose value begins with an expression, and without quotes.
var bracesValue = regexp.MustCompile(`: *\{\{`)

func (d *Document) failSyntax(err *yaml.LoadError) {
	at, context := err.Mark, err.ContextMark
	text := "not YAML: " + err.Message
	switch {
	case at.Line > 0 && bytes.HasPrefix(d.line(at.Line)[min(at.Column-1, len(d.line(at.Line))):], []byte("\t")):
		text += "; a tab cannot indent, expected blanks"
	case bracesValue.Match(d.line(at.Line)) || bracesValue.Match(d.line(context.Line)):
		text += "; " + bracesHint
	case err.ContextMsg != "" && context.Line > 0 && context != at:
		text += fmt.Sprintf(" (%s at %d:%d)", err.ContextMsg, context.Line, context.Column)
	}
	d.failAt(max(1, at.Line), max(1, at.Column), "%s", text)
}
