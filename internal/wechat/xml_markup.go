package wechat

import (
	"regexp"
	"strings"
)

// declaredEncoding matches an XML declaration with an encoding.
var declaredEncoding = regexp.MustCompile(`^<\?xml\s[^>]*\bencoding\s*=\s*["']\s*([^"']*?)\s*["']`)

// skipMarkup skips a comment or a processing instruction, and rejects a DOCTYPE.
func (p *parser) skipMarkup() error {
	rest := p.s[p.pos:]
	open, end := "<!--", "-->"
	switch {
	case strings.HasPrefix(rest, open):
	case strings.HasPrefix(rest, "<?"):
		open, end = "<?", "?>"
	case len(rest) >= 9 && strings.EqualFold(rest[:9], "<!DOCTYPE"):
		return ErrDoctype
	default:
		return p.syntaxFail("unknown markup after <!")
	}
	n := strings.Index(rest[len(open):], end)
	if n < 0 {
		return p.syntaxFail("a comment or processing instruction has no end")
	}
	if match := declaredEncoding.FindStringSubmatch(rest[:len(open)+n]); len(p.nodes) == 0 && match != nil && !strings.EqualFold(strings.ReplaceAll(match[1], "-", ""), "UTF8") {
		return p.syntaxFail("the declared encoding is not UTF-8, which WeChat sends") // with another encoding, texts would become U+FFFD
	}
	p.pos += len(open) + n + len(end)
	return nil
}

// readName reads an element's name; "" if there is none.
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

// skipAttributes skips the rest of a start tag. closed reports a tag such as "<a/>". WeChat sends no attributes.
func (p *parser) skipAttributes() (closed bool, err error) {
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
		case c == '<', p.pos == begin && c != '/' && !isBlank(c):
			return false, p.syntaxFail("a start tag is malformed")
		}
	}
	return false, p.syntaxFail("a start tag has no end")
}

// endTag returns the length of the end tag of name at the beginning of s, or 0.
func endTag(s, name string) int {
	end := len("</") + len(name)
	if len(s) <= end || s[:2] != "</" || s[2:end] != name {
		return 0
	}
	for ; end < len(s); end++ {
		switch c := s[end]; {
		case c == '>':
			return end + 1
		case !isBlank(c):
			return 0
		}
	}
	return 0
}

// mayHoldMarkup reports whether characters may contain references or the end of a CDATA section.
func mayHoldMarkup(chars string) bool {
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

func (p *parser) skipBlanks() {
	for p.pos < len(p.s) && isBlank(p.s[p.pos]) {
		p.pos++
	}
}
