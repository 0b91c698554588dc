package wechat

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrDoctype refuses a body with a document type declaration: nothing is expanded.
var ErrDoctype = errors.New("a DOCTYPE is not accepted")

// SyntaxError says where a body is not the XML of a callback. It quotes nothing of the body.
type SyntaxError struct {
	Line, Column int // from 1; the column in bytes
	Problem      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not a callback's XML: line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// Limits of a document beyond reason: real callbacks are 4 levels deep and have some 60 elements.
const (
	maxDepth    = 64
	maxElements = 10_000
	maxMends    = 16 // each mend may read the rest of the document once more
)

// Document is a callback's body, parsed. Its texts share the memory of one copy of the body.
type Document struct {
	nodes []node // in document order; the first is the root
	room  [24]node
}

// node is an element. Its children are the nodes behind it, up to end.
type node struct {
	name, text string
	end        int  // index behind its last descendant
	taken      bool // a field has it
}

// Parse reads a callback's body. It is more tolerant than XML asks, because one odd character must not cost a
// message: control characters are characters, invalid UTF-8 becomes U+FFFD, a lone & is itself, a text that breaks
// out of its CDATA section is mended where the document would otherwise be malformed, and what follows the root
// element is ignored. The error is ErrDoctype or a *SyntaxError.
func Parse(body []byte) (*Document, error) {
	s := strings.ToValidUTF8(string(body), "\uFFFD")
	d := &Document{}
	p := parser{s: strings.TrimPrefix(s, "\uFEFF"), nodes: d.room[:0]}
	err := p.document()
	if err != nil {
		return nil, err
	}
	d.nodes = p.nodes
	return d, nil
}

// Text returns the text of the first child of the root with that name, blanks around it trimmed.
func (d *Document) Text(name string) (text string, ok bool) {
	for c := 1; c < d.nodes[0].end; c = d.nodes[c].end {
		if d.nodes[c].name == name {
			return trim(d.nodes[c].text), true
		}
	}
	return "", false
}

type parser struct {
	s       string
	pos     int
	nodes   []node
	depth   int
	started int // elements begun, discarded ones too
	mends   int
}

const (
	cdataOpen  = "<![CDATA["
	cdataClose = "]]>"
	rootName   = "xml"
)

// document reads the prolog and the root element.
func (p *parser) document() error {
	for {
		p.blanks()
		switch rest := p.s[p.pos:]; {
		case rest == "":
			return p.fail("empty")
		case rest[0] != '<':
			return p.fail("text where the root element <xml> is expected")
		case strings.HasPrefix(rest, "<?"), strings.HasPrefix(rest, "<!"):
			if err := p.aside(); err != nil {
				return err
			}
		default:
			begin := p.pos
			p.pos++
			if name := p.name(); name != "" && name != rootName {
				p.pos = begin
				return p.fail("the root element is not <xml>")
			}
			p.pos = begin
			return p.element()
		}
	}
}

// element reads one element: the parser stands at its "<".
func (p *parser) element() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail("elements nest too deep")
	}
	defer func() { p.depth-- }()
	if p.started++; p.started > maxElements {
		return p.fail("too many elements")
	}
	p.pos++
	i := len(p.nodes)
	name := p.name()
	if name == "" {
		return p.fail("an element's name is expected behind <")
	}
	p.nodes = append(p.nodes, node{name: name, end: i + 1})
	closed, err := p.attributes()
	if err != nil || closed {
		return err
	}
	begin := p.pos
	if err = p.content(i); err != nil && !errors.Is(err, ErrDoctype) {
		err = p.mend(i, begin, err)
	}
	p.nodes[i].end = len(p.nodes)
	return err
}

// content reads up to and including the end tag of node i.
func (p *parser) content(i int) error {
	var text pieces
	for {
		lt := strings.IndexByte(p.s[p.pos:], '<')
		if lt < 0 {
			p.pos = len(p.s)
			return p.fail("the document ends inside an element")
		}
		if lt > 0 {
			chars := p.s[p.pos : p.pos+lt]
			if strings.Contains(chars, cdataClose) {
				return p.fail("]]> outside a CDATA section")
			}
			text.add(unescape(chars))
			p.pos += lt
		}
		rest := p.s[p.pos:]
		switch {
		case strings.HasPrefix(rest, cdataOpen):
			end := strings.Index(rest, cdataClose)
			if end < 0 {
				return p.fail("a CDATA section has no end")
			}
			text.add(rest[len(cdataOpen):end])
			p.pos += end + len(cdataClose)
		case strings.HasPrefix(rest, "</"):
			n := endTag(rest, p.nodes[i].name)
			if n == 0 {
				return p.fail("an end tag does not match its start tag")
			}
			p.pos += n
			// Between child elements blanks are layout; in a leaf they are text.
			if t := text.String(); len(p.nodes) == i+1 || trim(t) != "" {
				p.nodes[i].text = t
			}
			return nil
		case strings.HasPrefix(rest, "<!"), strings.HasPrefix(rest, "<?"):
			if err := p.aside(); err != nil {
				return err
			}
		default:
			if err := p.element(); err != nil {
				return err
			}
		}
	}
}

// pieces joins the texts of an element; one alone is not copied.
type pieces struct {
	first string
	all   []byte
}

func (t *pieces) add(s string) {
	switch {
	case t.all != nil:
		t.all = append(t.all, s...)
	case t.first == "":
		t.first = s
	default:
		t.all = append(append(make([]byte, 0, 2*(len(t.first)+len(s))), t.first...), s...)
	}
}

func (t *pieces) String() string {
	if t.all != nil {
		return string(t.all)
	}
	return t.first
}

// mend rereads a node whose text broke out of its CDATA section, so that the document was malformed: the text then
// ends at the first "]]>" that stands before the node's end tag. cause is returned where that does not help.
func (p *parser) mend(i, begin int, cause error) error {
	p.mends++
	body := p.s[begin:]
	open := len(body) - len(trimLeft(body))
	if p.mends > maxMends || !strings.HasPrefix(body[open:], cdataOpen) {
		return cause
	}
	from := open + len(cdataOpen)
	for at := from; ; {
		n := strings.Index(body[at:], cdataClose)
		if n < 0 {
			return cause
		}
		at += n + len(cdataClose)
		tail := trimLeft(body[at:])
		if n := endTag(tail, p.nodes[i].name); n > 0 {
			p.nodes = p.nodes[:i+1]
			p.nodes[i].text = body[from : at-len(cdataClose)]
			p.pos = begin + len(body) - len(tail) + n
			return nil
		}
	}
}

// aside skips a comment or a processing instruction, and refuses a DOCTYPE.
func (p *parser) aside() error {
	rest := p.s[p.pos:]
	open, end := "<!--", "-->"
	switch {
	case strings.HasPrefix(rest, open):
	case strings.HasPrefix(rest, "<?"):
		open, end = "<?", "?>"
	case len(rest) >= 9 && strings.EqualFold(rest[:9], "<!DOCTYPE"):
		return ErrDoctype
	default:
		return p.fail("unknown markup behind <!")
	}
	n := strings.Index(rest[len(open):], end)
	if n < 0 {
		return p.fail("a comment or processing instruction has no end")
	}
	p.pos += len(open) + n + len(end)
	return nil
}

// name reads an element's name; "" where there is none.
func (p *parser) name() string {
	begin := p.pos
	for p.pos < len(p.s) && nameByte(p.s[p.pos], p.pos == begin) {
		p.pos++
	}
	return p.s[begin:p.pos]
}

func nameByte(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= utf8.RuneSelf:
		return true
	case c >= '0' && c <= '9', c == '-', c == '.':
		return !first
	}
	return false
}

// attributes skips to behind the start tag's ">"; closed where the tag was "<a/>". WeChat sends no attributes.
func (p *parser) attributes() (closed bool, err error) {
	quote := byte(0)
	for begin := p.pos; p.pos < len(p.s); p.pos++ {
		c := p.s[p.pos]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			p.pos++
			return p.pos-2 >= begin && p.s[p.pos-2] == '/', nil
		case c == '"', c == '\'':
			quote = c
		case c == '<', p.pos == begin && c != '/' && !blank(c):
			return false, p.fail("a start tag is malformed")
		}
	}
	return false, p.fail("a start tag has no end")
}

// endTag returns the length of the end tag of name that s begins with, or 0.
func endTag(s, name string) int {
	rest, ok := strings.CutPrefix(s, "</")
	if !ok {
		return 0
	}
	if rest, ok = strings.CutPrefix(rest, name); !ok {
		return 0
	}
	if rest, ok = strings.CutPrefix(trimLeft(rest), ">"); !ok {
		return 0
	}
	return len(s) - len(rest)
}

func (p *parser) blanks() {
	for p.pos < len(p.s) && blank(p.s[p.pos]) {
		p.pos++
	}
}

func (p *parser) fail(problem string) error {
	before := p.s[:min(p.pos, len(p.s))]
	return &SyntaxError{
		Line:    1 + strings.Count(before, "\n"),
		Column:  len(before) - strings.LastIndexByte(before, '\n'),
		Problem: problem,
	}
}

// unescape resolves the five entities of XML and character references; any other & stays as it is.
func unescape(s string) string {
	amp := strings.IndexByte(s, '&')
	if amp < 0 {
		return s
	}
	var b strings.Builder
	for amp >= 0 {
		b.WriteString(s[:amp])
		s = s[amp:]
		semi := strings.IndexByte(s[:min(len(s), 12)], ';')
		if r, ok := entity(s[1:max(semi, 1)]); ok {
			b.WriteRune(r)
			s = s[semi+1:]
		} else {
			b.WriteByte('&')
			s = s[1:]
		}
		amp = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return b.String()
}

// entity returns the character that an entity's name stands for.
func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	number, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hexadecimal, ok := strings.CutPrefix(number, "x"); ok {
		number, base = hexadecimal, 16
	}
	n, err := strconv.ParseUint(number, base, 32)
	if err != nil {
		return 0, false
	}
	if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return utf8.RuneError, true
	}
	return rune(n), true
}

// blank tells whether c is white space to XML.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimLeft(s string) string {
	for s != "" && blank(s[0]) {
		s = s[1:]
	}
	return s
}

func trim(s string) string {
	s = trimLeft(s)
	for s != "" && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
