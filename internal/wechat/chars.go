package wechat

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// blanks is white space to XML.
const blanks = " \t\r\n"

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

// isName tells whether the whole of s is an element's name.
func isName(s string) bool {
	p := parser{s: s}
	return p.readName() != "" && p.pos == len(s)
}

// nameBytes tells of each byte whether a name may hold it.
var nameBytes = func() (may [256]bool) {
	for c := range may {
		may[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf ||
			c >= '0' && c <= '9' || c == '_' || c == ':' || c == '-' || c == '.'
	}
	return may
}()

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

// pieces joins the texts of an element. One alone is not copied, and blanks between child elements need no memory.
type pieces struct {
	first string
	at    int // where first stands in the document; -1: nowhere
	room  [32]byte
	used  int    // of room
	solid bool   // not all of it is blank
	spill []byte // the whole, once room is too small
}

// add adds a text, which stands in the document at an offset; -1: nowhere.
func (t *pieces) add(s string, at int) {
	t.solid = t.solid || !empty(s)
	if t.used == 0 && t.spill == nil {
		if t.first == "" {
			t.first, t.at = s, at
			return
		}
		t.grow(t.first)
	}
	t.grow(s)
}

func (t *pieces) grow(s string) {
	if t.spill == nil && t.used+len(s) <= len(t.room) {
		t.used += copy(t.room[t.used:], s)
		return
	}
	if t.spill == nil {
		t.spill = append(make([]byte, 0, 2*(t.used+len(s))), t.room[:t.used]...)
	}
	t.spill = append(t.spill, s...)
}

// text returns the whole and where it stands; of an element with children "" where the whole is layout.
func (t *pieces) text(children bool) (whole string, at int) {
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
