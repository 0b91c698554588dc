package wechat

import (
	"strconv"
	"strings"

	v1 "wxgate/proto/wechat/v1"
)

// elements are the child elements for which a message has no field.
type elements = []*v1.Element

// field maps an element of a callback to a field of M, for reading and writing.
type field[M any] struct {
	name  string                              // of the element
	also  string                              // an alternative name that is read too; "": none
	many  bool                                // it takes all elements of that name, up to the first that does not fit
	text  func(m *M, text string) bool        // sets the field from an element's text; false: the element goes to extra
	box   func(d *Document, i int, m *M) bool // the same for node i, which may have children; either text or box is set
	write func(b []byte, m *M) []byte         // appends the field's elements
}

// withSpelling adds an alternative name, for elements that SDKs spell in two ways.
func withSpelling[M any](also string, f field[M]) field[M] {
	f.also = also
	return f
}

// matchesName reports whether elements of that name belong to the field.
func (f *field[M]) matchesName(name string) bool {
	return name == f.name || name == f.also && name != ""
}

// takeNode sets the field from node i. If it reports false, the node goes to extra.
func (f *field[M]) takeNode(d *Document, i int, m *M) bool {
	if f.text == nil {
		return f.box(d, i, m)
	}
	return d.nextSibling(i) == i+1 && f.text(m, d.nodeText(i))
}

// textField is a field with a text that people wrote, exactly as sent.
func textField[M any](name string, at func(*M) *string) field[M] {
	return field[M]{
		name:  name,
		text:  func(m *M, text string) bool { *at(m) = text; return true },
		write: writeString(name, at),
	}
}

// tokenField is a field with an identifier, a key, a URL or a decimal. Blanks around it are layout and are removed.
func tokenField[M any](name string, at func(*M) *string) field[M] {
	return field[M]{
		name:  name,
		text:  func(m *M, text string) bool { *at(m) = trimBlanks(text); return true },
		write: writeString(name, at),
	}
}

func writeString[M any](name string, at func(*M) *string) func([]byte, *M) []byte {
	return func(b []byte, m *M) []byte {
		if s := *at(m); s != "" {
			b = rawElement(b, name, s)
		}
		return b
	}
}

// integer is the type of a number in a field.
type integer interface{ int32 | int64 }

// numberField is a field with an integer that may be 0.
func numberField[M any, N integer](name string, at func(*M) **N) field[M] {
	return field[M]{
		name: name,
		text: func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			if ok {
				*at(m) = &n
			}
			return ok || isEmpty(text)
		},
		write: func(b []byte, m *M) []byte {
			if n := *at(m); n != nil {
				b = integerElement(b, name, *n)
			}
			return b
		},
	}
}

// positiveField is a field with an integer for which 0 means "not set". An element with 0 goes to extra.
func positiveField[M any, N integer](name string, at func(*M) *N) field[M] {
	return field[M]{
		name: name,
		text: func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			*at(m) = n
			return ok && n != 0 || isEmpty(text)
		},
		write: func(b []byte, m *M) []byte {
			if n := *at(m); n != 0 {
				b = integerElement(b, name, n)
			}
			return b
		},
	}
}

// numbersField is a field with the integers of all elements of that name.
func numbersField[M any, N integer](name string, at func(*M) *[]N) field[M] {
	return field[M]{
		name: name,
		many: true,
		text: func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			if ok {
				*at(m) = append(*at(m), n)
			}
			return ok || isEmpty(text)
		},
		write: func(b []byte, m *M) []byte {
			for _, n := range *at(m) {
				b = integerElement(b, name, n)
			}
			return b
		},
	}
}

// boolField is a field with "true" or "false".
func boolField[M any](name string, at func(*M) **bool) field[M] {
	return field[M]{
		name: name,
		text: func(m *M, text string) bool {
			value := trimBlanks(text) == "true"
			if !value && trimBlanks(text) != "false" {
				return isEmpty(text)
			}
			*at(m) = &value
			return true
		},
		write: func(b []byte, m *M) []byte {
			if value := *at(m); value != nil {
				b = plainElement(b, name, strconv.FormatBool(*value))
			}
			return b
		},
	}
}

// messageField is a field with a message, made from an element with children. Children without a field go to the message's
// extra.
func messageField[M, C any](name string, at func(*M) **C, extra func(*C) *elements, fields ...field[C]) field[M] {
	return field[M]{
		name: name,
		box: func(d *Document, i int, m *M) bool {
			c, ok := readBox(d, i, extra, fields)
			*at(m) = c
			return ok
		},
		write: func(b []byte, m *M) []byte {
			if c := *at(m); c != nil {
				b = writeBox(b, name, c, extra, fields)
			}
			return b
		},
	}
}

// repeatedField is a field with such messages, one for each element of that name.
func repeatedField[M, C any](name string, at func(*M) *[]*C, extra func(*C) *elements, fields ...field[C]) field[M] {
	return field[M]{
		name: name,
		many: true,
		box: func(d *Document, i int, m *M) bool {
			c, ok := readBox(d, i, extra, fields)
			if ok {
				*at(m) = append(*at(m), c)
			}
			return ok
		},
		write: func(b []byte, m *M) []byte {
			for _, c := range *at(m) {
				b = writeBox(b, name, c, extra, fields)
			}
			return b
		},
	}
}

// readBox makes a message from the children of node i. It reports false if the node has a text.
func readBox[C any](d *Document, i int, extra func(*C) *elements, fields []field[C]) (*C, bool) {
	if !isEmpty(d.nodeText(i)) {
		return nil, false
	}
	c := new(C)
	setFields(d, i, c, fields)
	*extra(c) = d.untakenChildren(i)
	return c, true
}

func writeBox[C any](b []byte, name string, c *C, extra func(*C) *elements, fields []field[C]) []byte {
	b = openTag(b, name)
	b = writeFields(b, c, fields, *extra(c))
	b = writeElements(b, *extra(c))
	return closeTag(b, name)
}

// setFields sets the fields of m from the children of node i, and marks the children that it used.
func setFields[M any](d *Document, i int, m *M, fields []field[M]) {
	var seen uint64
	likely := 0 // elements mostly come in the order of the fields
	for c, end := i+1, d.nextSibling(i); c < end; c = d.nextSibling(c) {
		n := &d.nodes[c]
		if n.taken {
			continue
		}
		name := d.nodeName(c)
		for range fields {
			f := likely
			if likely++; likely == len(fields) {
				likely = 0
			}
			if !fields[f].matchesName(name) {
				continue
			}
			if seen>>f&1 == 0 {
				n.taken = fields[f].takeNode(d, c, m)
				if !fields[f].many || !n.taken {
					seen |= 1 << f
				}
			}
			break
		}
	}
}

// untakenChildren returns the children of node i that no field has taken.
func (d *Document) untakenChildren(i int) []*v1.Element {
	var rest []*v1.Element
	for c, end := i+1, d.nextSibling(i); c < end; c = d.nextSibling(c) {
		if !d.nodes[c].taken {
			rest = append(rest, d.genericElement(c))
		}
	}
	return rest
}

// genericElement returns node i as a generic element.
func (d *Document) genericElement(i int) *v1.Element {
	e := &v1.Element{Name: d.nodeName(i), Text: d.nodeText(i)}
	for c := i + 1; c < d.nextSibling(i); c = d.nextSibling(c) {
		e.Children = append(e.Children, d.genericElement(c))
	}
	return e
}

// isEmpty reports whether an element with this text means the same as a missing element.
func isEmpty(text string) bool { return trimBlanks(text) == "" }

// parseInteger parses an integer as WeChat writes it. It rejects "007", "+7" and "-0", which would be written differently.
func parseInteger[N integer](text string) (N, bool) {
	text = trimBlanks(text)
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > len("9223372036854775808") || digits[0] == '0' && text != "0" {
		return 0, false
	}
	var n uint64 // 19 digits do not overflow
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	value := int64(n)
	if len(digits) < len(text) {
		value = -value
	}
	// A number too large for 64 bits, or for N, comes back as another one.
	if (value < 0) != (len(digits) < len(text)) || int64(N(value)) != value {
		return 0, false
	}
	return N(value), true
}
