package wechat

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ErrDoctype refuses a body with a document type declaration: nothing is expanded.
var ErrDoctype = errors.New("a DOCTYPE is not accepted")

// SyntaxError says where a body is not the XML, or the JSON, of a callback. It quotes nothing of the body.
type SyntaxError struct {
	Format       string // XML or JSON
	Line, Column int    // from 1; the column in bytes
	Problem      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not a callback's %s: line %d, column %d: %s", e.Format, e.Line, e.Column, e.Problem)
}

// syntaxError returns the error at the end of before.
func syntaxError(format, before, problem string) error {
	return &SyntaxError{
		Format:  format,
		Line:    1 + strings.Count(before, "\n"),
		Column:  len(before) - strings.LastIndexByte(before, '\n'),
		Problem: problem,
	}
}

// Limits of a document beyond reason: real callbacks are 4 levels deep and have some 60 elements.
const (
	maxDepth    = 64
	maxElements = 10_000
	maxMends    = 16 // each mend may read the rest of the document once more
)

// Parse reads a callback's body. It is more tolerant than XML asks, because one odd character must not cost a
// message: control characters are characters, invalid UTF-8 becomes U+FFFD, a lone & is itself, a text that breaks
// out of its CDATA section is mended where the document would otherwise be malformed, and what follows the root
// element is ignored. A body that begins with "{" is read as the JSON form. The error is ErrDoctype or a *SyntaxError.
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
	if err := p.document(); err != nil {
		return nil, err
	}
	return d, nil
}

type parser struct {
	*Document
	s       string // the body
	pos     int
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
			if name := p.readName(); name != "" && name != rootName {
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
	if p.depth == maxDepth {
		return p.fail("elements nest too deep")
	}
	if p.started == maxElements {
		return p.fail("too many elements")
	}
	p.started++
	p.pos++
	i := len(p.nodes)
	at := p.pos
	name := p.readName()
	if name == "" {
		return p.fail("an element's name is expected behind <")
	}
	p.nodes = append(p.nodes, node{name: p.keep(name, at), end: int32(i + 1)})
	if closed, err := p.attributes(); err != nil || closed {
		return err
	}
	if p.leaf(i, name) {
		return nil
	}
	begin := p.pos
	p.depth++
	err := p.content(i)
	p.depth--
	if err != nil {
		err = p.mend(i, begin, err)
	}
	p.nodes[i].end = int32(len(p.nodes))
	return err
}

// leaf reads the content of node i where it is as WeChat writes most: one CDATA section or plain characters, and the end
// tag. Where it is not, leaf is false and reads nothing.
func (p *parser) leaf(i int, name string) bool {
	from, rest := p.pos, p.s[p.pos:]
	length, behind := 0, 0
	if strings.HasPrefix(rest, cdataOpen) {
		from += len(cdataOpen)
		length = indexClose(p.s[from:])
		behind = from + length + len(cdataClose)
	} else {
		length = strings.IndexByte(rest, '<')
		behind = from + length
	}
	if length < 0 {
		return false
	}
	n := endTag(p.s[behind:], name)
	if n == 0 || behind == from+length && odd(p.s[from:behind]) {
		return false
	}
	p.nodes[i].text = span{int32(from), int32(from + length)}
	p.pos = behind + n
	return true
}

// odd tells whether characters may be more than they look: references, or the end of a CDATA section.
func odd(chars string) bool {
	return strings.IndexByte(chars, '&') >= 0 || strings.IndexByte(chars, ']') >= 0
}

// indexClose returns the offset of the first "]]>" in s, or -1.
func indexClose(s string) int {
	for at := 0; ; at++ {
		n := strings.IndexByte(s[at:], ']')
		if n < 0 {
			return -1
		}
		if at += n; strings.HasPrefix(s[at:], cdataClose) {
			return at
		}
	}
}

// content reads up to and including the end tag of node i.
func (p *parser) content(i int) error {
	root, begin := i == 0, p.pos
	var text pieces
	broken := false // it holds what no sender puts beside CDATA sections
	for {
		lt := strings.IndexByte(p.s[p.pos:], '<')
		if lt < 0 {
			p.pos = len(p.s)
			return p.fail("the document ends inside an element")
		}
		if lt > 0 && !root { // the root's own text says nothing
			chars := p.s[p.pos : p.pos+lt]
			if strings.Contains(chars, cdataClose) {
				return p.fail("]]> outside a CDATA section")
			}
			plain := unescape(chars)
			if len(plain) == len(chars) {
				text.add(chars, p.pos)
			} else {
				text.add(plain, -1)
			}
			broken = broken || strings.Trim(plain, "]>"+blanks) != ""
		}
		p.pos += lt
		rest := p.s[p.pos:]
		kind := byte(0)
		if len(rest) > 1 {
			kind = rest[1]
		}
		switch {
		case kind == '/':
			n := endTag(rest, p.name(i))
			if n == 0 && root {
				// What is left of a text that broke out of its element; the element that it left has ended.
				n = strings.IndexByte(rest, '>') + 1
				p.pos += n
				if n > 0 {
					continue
				}
			}
			if n == 0 {
				return p.fail("an end tag does not match its start tag")
			}
			p.pos += n
			if !broken || root || !p.rejoin(i, begin, p.pos-n) {
				p.nodes[i].text = p.keep(text.text(len(p.nodes) > i+1))
			}
			return nil
		case kind == '!' && strings.HasPrefix(rest, cdataOpen):
			end := indexClose(rest[len(cdataOpen):])
			if end < 0 {
				return p.fail("a CDATA section has no end")
			}
			if !root {
				text.add(rest[len(cdataOpen):len(cdataOpen)+end], p.pos+len(cdataOpen))
			}
			p.pos += len(cdataOpen) + end + len(cdataClose)
		case kind == '!', kind == '?':
			broken = true
			if err := p.aside(); err != nil {
				return err
			}
		default:
			broken = true
			if err := p.element(); err != nil {
				return err
			}
		}
	}
}

// rejoin makes one text again of what stands between the tags of node i, if that begins and ends with a CDATA section: a
// user wrote the end of a section, markup and the begin of another, and WeChat did not split them. It reports whether it
// did. Nobody sends elements or comments between CDATA sections; a split "]]>" has nothing there but its own characters.
func (p *parser) rejoin(i, begin, end int) bool {
	body := trim(p.s[begin:end])
	if len(body) < len(cdataOpen)+len(cdataClose) || !strings.HasPrefix(body, cdataOpen) || !strings.HasSuffix(body, cdataClose) {
		return false
	}
	begin += len(p.s[begin:end]) - len(trimLeft(p.s[begin:end])) + len(cdataOpen)
	p.nodes = p.nodes[:i+1]
	p.nodes[i].text = p.keep(body[len(cdataOpen):len(body)-len(cdataClose)], begin)
	return true
}

// mend rereads a node whose text broke out of its CDATA section, so that the document was malformed, or seemed to hold a
// DOCTYPE: the text then ends at the first "]]>" that stands before the node's end tag. cause is returned if that does
// not help.
func (p *parser) mend(i, begin int, cause error) error {
	p.mends++
	body := p.s[begin:]
	open := len(body) - len(trimLeft(body))
	if p.mends > maxMends || !strings.HasPrefix(body[open:], cdataOpen) {
		return cause
	}
	from := open + len(cdataOpen)
	for at := from; ; {
		n := indexClose(body[at:])
		if n < 0 {
			return cause
		}
		at += n + len(cdataClose)
		tail := trimLeft(body[at:])
		if n := endTag(tail, p.name(i)); n > 0 {
			p.nodes = p.nodes[:i+1]
			p.nodes[i].text = p.keep(body[from:at-len(cdataClose)], begin+from)
			p.pos = begin + len(body) - len(tail) + n
			return nil
		}
	}
}

// encoding finds the encoding that an XML declaration names.
var encoding = regexp.MustCompile(`^<\?xml\s[^>]*\bencoding\s*=\s*["']\s*([^"']*?)\s*["']`)

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
	if match := encoding.FindStringSubmatch(rest[:len(open)+n]); len(p.nodes) == 0 && match != nil && !strings.EqualFold(strings.ReplaceAll(match[1], "-", ""), "UTF8") {
		return p.fail("the declared encoding is not UTF-8, which WeChat sends") // another would turn texts into U+FFFD
	}
	p.pos += len(open) + n + len(end)
	return nil
}

// readName reads an element's name; "" where there is none.
func (p *parser) readName() string {
	end := p.pos
	for end < len(p.s) && nameBytes[p.s[end]] {
		end++
	}
	name := p.s[p.pos:end]
	if name != "" && (name[0] == '-' || name[0] == '.' || name[0] >= '0' && name[0] <= '9') {
		return ""
	}
	p.pos = end
	return name
}

// attributes skips to behind the start tag's ">"; closed where the tag was "<a/>". WeChat sends no attributes.
func (p *parser) attributes() (closed bool, err error) {
	if p.pos < len(p.s) && p.s[p.pos] == '>' {
		p.pos++
		return false, nil
	}
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
	end := len("</") + len(name)
	if len(s) <= end || s[:2] != "</" || s[2:end] != name {
		return 0
	}
	for ; end < len(s); end++ {
		switch c := s[end]; {
		case c == '>':
			return end + 1
		case !blank(c):
			return 0
		}
	}
	return 0
}

func (p *parser) blanks() {
	for p.pos < len(p.s) && blank(p.s[p.pos]) {
		p.pos++
	}
}

func (p *parser) fail(problem string) error {
	return syntaxError("XML", p.s[:min(p.pos, len(p.s))], problem)
}
