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

// MaxSize bounds the total size of the files of one load, in bytes.
const MaxSize = 32 << 20

// Load is one reading of a file and of the files that it names.
type Load struct {
	Problems Problems // the reasons to reject the files

	warnings Problems // the first maxWarnings
	warned   int      // the number of all warnings
	kept     Problems
	changes  []any // log attributes of the line that reports the result
	size     int
	files    []fileState
	cache    *Cache // nil: each file is read from disk
}

// NewPart returns a load for a part of this one, which AddPart or RequirePart joins to it.
func (l *Load) NewPart() *Load { return &Load{cache: l.cache} }

// AddPart adds a part that was loaded separately: its files are watched too. Its problems are reported, but do not reject this
// load: the caller is expected to keep the part's previous version.
func (l *Load) AddPart(part *Load) {
	l.adoptPart(part)
	l.kept = append(l.kept, part.Problems...)
}

// NoteNames adds to the log line the names that were added to a file and removed from it. If before is nil, the file was not
// read until now, and nothing is added.
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

// maxNoted is the number of added and of removed names that a log line shows.
const maxNoted = 20

// RequirePart adds a part as Add does, but its problems reject this load.
func (l *Load) RequirePart(part *Load) {
	l.adoptPart(part)
	l.Problems = append(l.Problems, part.Problems...)
}

func (l *Load) adoptPart(part *Load) {
	l.files = append(l.files, part.files...)
	l.changes = append(l.changes, part.changes...)
	for _, w := range part.warnings {
		l.Warn(w)
	}
	l.warned += part.warned - len(part.warnings)
}

// maxWarnings is the number of warnings that a load lists: a file may have as many as it has rules.
const maxWarnings = 50

// maxWarning bounds the parts of a warning, in bytes: it may quote a long word of the file.
const maxWarning = 1 << 10

// Warn adds a warning about something that is valid, but probably a mistake.
func (l *Load) Warn(w Problem) {
	if l.warned++; len(l.warnings) < maxWarnings {
		w.In, w.Text = service.ClipText(w.In, maxWarning), service.ClipText(w.Text, maxWarning)
		l.warnings = append(l.warnings, w)
	}
}

// WarningCount returns the number of warnings.
func (l *Load) WarningCount() int { return l.warned }

// Warnings returns the warnings. If there are more than are listed, the last one gives the number of the others.
func (l *Load) Warnings() Problems {
	more := l.warned - len(l.warnings)
	if more == 0 {
		return l.warnings
	}
	return append(slices.Clone(l.warnings), Problem{File: l.warnings[0].File, Text: fmt.Sprintf("and %d more warnings", more)})
}

// fileState is the state of a file when it was read.
type fileState struct {
	path string
	info fs.FileInfo // nil: it does not exist
	hash [sha256.Size]byte
}

// ReadFile returns the content of a file. The caller has to report the error, which does not name the path.
func (l *Load) ReadFile(path string) ([]byte, error) {
	data, f, err := l.readLimited(path)
	f.path = path
	l.files = append(l.files, f)
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, inPath.Err
	}
	return data, err
}

func (l *Load) readLimited(path string) (data []byte, f fileState, err error) {
	data, f, cached := l.cache.find(path)
	if !cached {
		in, info, err := service.OpenRegular(path)
		f.info = info // also of a file that cannot be read; else it would seem to change all the time
		if err != nil {
			return nil, f, err
		}
		defer in.Close()
		if data, err = io.ReadAll(io.LimitReader(in, int64(MaxSize-l.size)+1)); err != nil {
			return nil, f, err
		}
		f.hash = sha256.Sum256(data)
	}
	if l.size += len(data); l.size > MaxSize {
		return nil, fileState{info: f.info}, fmt.Errorf("larger than %d MiB, which is the most for a file and all that it includes", MaxSize>>20)
	}
	l.cache.add(path, data, f)
	return data, f, nil
}

// FilePaths returns the paths read so far.
func (l *Load) FilePaths() []string {
	paths := make([]string, len(l.files))
	for i := range l.files {
		paths[i] = l.files[i].path
	}
	return paths
}

// Hash returns the SHA-256 of the content of all files, in hex.
func (l *Load) Hash() string {
	all := sha256.New()
	for _, f := range l.files {
		all.Write(f.hash[:])
	}
	return hex.EncodeToString(all.Sum(nil))
}

// HasChanged reports whether a file has changed since it was read.
func (l *Load) HasChanged() bool { return !sameFiles(statFiles(l.files), l.files) }

// Err returns the problems; nil if there are none.
func (l *Load) Err() error {
	if len(l.Problems) == 0 {
		return nil
	}
	return l.Problems
}

// Fail adds a problem with a whole file.
func (l *Load) Fail(file, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{File: file, Text: fmt.Sprintf(format, args...)})
}

// OpenYAML reads a file as YAML. If that fails, it adds a problem and returns nil.
func (l *Load) OpenYAML(path string) *Document {
	data, err := l.ReadFile(path)
	if err != nil {
		l.Fail(path, "%v", err)
		return nil
	}
	return l.ParseYAML(path, data)
}

// ParseYAML parses data as the YAML of a file. If that fails, it adds a problem and returns nil.
func (l *Load) ParseYAML(file string, data []byte) *Document {
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

// bracesValue matches a line whose value begins with an expression without quotes.
var bracesValue = regexp.MustCompile(`: *\{\{`)

func (d *Document) failSyntax(err *yaml.LoadError) {
	at, context := err.Mark, err.ContextMark
	text := "not YAML: " + err.Message
	switch {
	case at.Line > 0 && bytes.HasPrefix(d.lineAt(at.Line)[min(at.Column-1, len(d.lineAt(at.Line))):], []byte("\t")):
		text += "; a tab cannot indent, expected spaces"
	case bracesValue.Match(d.lineAt(at.Line)) || bracesValue.Match(d.lineAt(context.Line)):
		text += "; " + bracesHint
	case err.ContextMsg != "" && context.Line > 0 && context != at:
		text += fmt.Sprintf(" (%s at %d:%d)", err.ContextMsg, context.Line, context.Column)
	}
	d.failAt(max(1, at.Line), max(1, at.Column), "%s", text)
}
