package wechat

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// blanks are the white space characters of XML.
const blanks = " \t\r\n"

// isBlank reports whether c is white space in XML.
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimLeft(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

func trimBlanks(s string) string {
	s = trimLeft(s)
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// isName reports whether the whole of s is an element's name.
func isName(s string) bool {
	p := parser{s: s}
	return p.readName() != "" && p.pos == len(s)
}

// nameBytes says for each byte whether a name may contain it.
var nameBytes = func() (may [256]bool) {
	for c := range may {
		may[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf ||
			c >= '0' && c <= '9' || c == '_' || c == ':' || c == '-' || c == '.'
	}
	return may
}()

// unescape resolves the five entities of XML and character references. It keeps any other & unchanged.
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
		if r, ok := entityRune(s[1:max(semi, 1)]); ok {
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

// entityRune returns the character that an entity's name stands for.
func entityRune(name string) (rune, bool) {
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

// textPieces joins the texts of an element. It does not copy a single text, and needs no memory for blanks between child
// elements.
type textPieces struct {
	first string
	at    int // offset of first in the document; -1: it is not in it
	room  [32]byte
	used  int    // of room
	solid bool   // some of it is not blank
	spill []byte // all of the text, once room is too small
}

// addText adds a text. at is its offset in the document; -1: it is not in it.
func (t *textPieces) addText(s string, at int) {
	t.solid = t.solid || !isEmpty(s)
	if t.used == 0 && t.spill == nil {
		if t.first == "" {
			t.first, t.at = s, at
			return
		}
		t.appendBytes(t.first)
	}
	t.appendBytes(s)
}

func (t *textPieces) appendBytes(s string) {
	if t.spill == nil && t.used+len(s) <= len(t.room) {
		t.used += copy(t.room[t.used:], s)
		return
	}
	if t.spill == nil {
		t.spill = append(make([]byte, 0, 2*(t.used+len(s))), t.room[:t.used]...)
	}
	t.spill = append(t.spill, s...)
}

// joinedText returns the joined text and its offset in the document; -1: it is not in it. If the element has children and the
// text is blank, it is layout: the result is "".
func (t *textPieces) joinedText(children bool) (whole string, at int) {
	joined := t.room[:t.used]
	if t.spill != nil {
		joined = t.spill
	}
	switch {
	case children && !t.solid:
		return "", 0
	case len(joined) == 0:
		return t.first, t.at
	}
	return string(joined), -1
}
