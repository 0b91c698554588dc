package wechat

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrDoctype is the error of a body with a document type declaration: entities are never expanded.
var ErrDoctype = errors.New("a DOCTYPE is not accepted")

// SyntaxError is the error of a body that is not the XML or JSON of a callback. It does not quote the body.
type SyntaxError struct {
	Format       string // XML or JSON
	Line, Column int    // from 1; the column in bytes
	Problem      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not a callback's %s: line %d, column %d: %s", e.Format, e.Line, e.Column, e.Problem)
}

// syntaxError returns an error whose position is the end of before.
func syntaxError(format, before, problem string) error {
	return &SyntaxError{
		Format:  format,
		Line:    1 + strings.Count(before, "\n"),
		Column:  len(before) - strings.LastIndexByte(before, '\n'),
		Problem: problem,
	}
}

// Limits of a document. Real callbacks are at most 4 levels deep and have about 60 elements.
const (
	maxDepth    = 64
	maxElements = 10_000
	maxRepairs  = 16 // each repair may read the rest of the document again
)

// Parse parses the body of a callback. It is more tolerant than XML, because one odd character must not cost a message: it
// accepts control characters, replaces invalid UTF-8 by U+FFFD, reads a lone & as itself, repairs a text that breaks out of
// its CDATA section if the document would be malformed otherwise, and ignores everything after the root element. A body that
// begins with "{" is parsed as the JSON form. The error is ErrDoctype or a *SyntaxError.
func Parse(body []byte) (*Document, error) {
	if begin := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\uFEFF")), blanks); len(begin) > 0 && begin[0] == '{' {
		return parseJSON(begin)
	}
	s := string(body)
	if !utf8.Valid(body) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	d := newDocument(strings.TrimPrefix(s, "\uFEFF"))
	p := parser{Document: d, s: d.body}
	if err := p.parseDocument(); err != nil {
		return nil, err
	}
	return d, nil
}

type parser struct {
	*Document
	s       string // the body
	pos     int
	depth   int
	started int // number of elements begun, including discarded ones
	repairs int
}

const (
	cdataOpen  = "<![CDATA["
	cdataClose = "]]>"
	rootName   = "xml"
)

// parseDocument reads the prolog and the root element.
func (p *parser) parseDocument() error {
	for {
		p.skipBlanks()
		switch rest := p.s[p.pos:]; {
		case rest == "":
			return p.syntaxFail("empty")
		case rest[0] != '<':
			return p.syntaxFail("text where the root element <xml> is expected")
		case strings.HasPrefix(rest, "<?"), strings.HasPrefix(rest, "<!"):
			if err := p.skipMarkup(); err != nil {
				return err
			}
		default:
			begin := p.pos
			p.pos++
			if name := p.readName(); name != "" && name != rootName {
				p.pos = begin
				return p.syntaxFail("the root element is not <xml>")
			}
			p.pos = begin
			return p.parseElement()
		}
	}
}

// parseElement reads one element; the parser is at its "<".
func (p *parser) parseElement() error {
	if p.depth == maxDepth {
		return p.syntaxFail("elements nest too deep")
	}
	if p.started == maxElements {
		return p.syntaxFail("too many elements")
	}
	p.started++
	p.pos++
	i := len(p.nodes)
	at := p.pos
	name := p.readName()
	if name == "" {
		return p.syntaxFail("< without an element's name")
	}
	p.nodes = append(p.nodes, node{name: p.keepText(name, at), end: int32(i + 1)})
	if closed, err := p.skipAttributes(); err != nil || closed {
		return err
	}
	if p.parseLeaf(i, name) {
		return nil
	}
	begin := p.pos
	p.depth++
	err := p.parseContent(i)
	p.depth--
	if err != nil {
		err = p.repairText(i, begin, err)
	}
	p.nodes[i].end = int32(len(p.nodes))
	return err
}

// parseLeaf reads the content of node i if it has the form that WeChat mostly writes: one CDATA section or plain characters,
// then the end tag. Otherwise it reports false and reads nothing.
func (p *parser) parseLeaf(i int, name string) bool {
	from, rest := p.pos, p.s[p.pos:]
	length, end := 0, 0
	if strings.HasPrefix(rest, cdataOpen) {
		from += len(cdataOpen)
		length = indexClose(p.s[from:])
		end = from + length + len(cdataClose)
	} else {
		length = strings.IndexByte(rest, '<')
		end = from + length
	}
	if length < 0 {
		return false
	}
	n := endTag(p.s[end:], name)
	if n == 0 || end == from+length && mayHoldMarkup(p.s[from:end]) {
		return false
	}
	p.nodes[i].text = span{int32(from), int32(from + length)}
	p.pos = end + n
	return true
}

func (p *parser) syntaxFail(problem string) error {
	return syntaxError("XML", p.s[:min(p.pos, len(p.s))], problem)
}
