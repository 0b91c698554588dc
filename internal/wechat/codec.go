package wechat

import (
	"strconv"
	"strings"

	v1 "wxgate/proto/wechat/v1"
)

// elements are what a message made from an element holds beyond its fields.
type elements = []*v1.Element

// field ties an element of a callback to a field of M, both ways.
type field[M any] struct {
	name  string                              // the element's
	also  string                              // another spelling that is read too; "": none
	many  bool                                // it takes every element of that name, up to the first that does not fit
	text  func(m *M, text string) bool        // takes the text of an element; false leaves it to extra
	box   func(d *Document, i int, m *M) bool // the same for node i, which may have children; one of the two is set
	write func(b []byte, m *M) []byte         // appends the field's elements
}

// spelled adds another spelling, where the SDKs of the field disagree.
func spelled[M any](also string, f field[M]) field[M] {
	f.also = also
	return f
}

// named tells whether elements of that name belong to the field.
func (f *field[M]) named(name string) bool { return name == f.name || name == f.also && name != "" }

// take takes node i; false leaves it to extra.
func (f *field[M]) take(d *Document, i int, m *M) bool {
	if f.text == nil {
		return f.box(d, i, m)
	}
	return d.next(i) == i+1 && f.text(m, d.text(i))
}

// words is a field that holds people's words, exactly as sent.
func words[M any](name string, at func(*M) *string) field[M] {
	return field[M]{
		name:  name,
		text:  func(m *M, text string) bool { *at(m) = text; return true },
		write: writeString(name, at),
	}
}

// token is a field that holds an identifier, a key, a URL or a decimal: blanks around it are layout.
func token[M any](name string, at func(*M) *string) field[M] {
	return field[M]{
		name:  name,
		text:  func(m *M, text string) bool { *at(m) = trim(text); return true },
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

// integer is what a field of numbers can hold.
type integer interface{ int32 | int64 }

// number is a field that holds an integer, 0 included.
func number[M any, N integer](name string, at func(*M) **N) field[M] {
	return field[M]{
		name: name,
		text: func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			if ok {
				*at(m) = &n
			}
			return ok || empty(text)
		},
		write: func(b []byte, m *M) []byte {
			if n := *at(m); n != nil {
				b = integerElement(b, name, *n)
			}
			return b
		},
	}
}

// positive is a field that holds an integer and for which 0 means none; a 0 that was sent stays in extra.
func positive[M any, N integer](name string, at func(*M) *N) field[M] {
	return field[M]{
		name: name,
		text: func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			*at(m) = n
			return ok && n != 0 || empty(text)
		},
		write: func(b []byte, m *M) []byte {
			if n := *at(m); n != 0 {
				b = integerElement(b, name, n)
			}
			return b
		},
	}
}

// numbers is a field that holds the integers of every element of that name.
func numbers[M any, N integer](name string, at func(*M) *[]N) field[M] {
	return field[M]{
		name: name,
		many: true,
		text: func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			if ok {
				*at(m) = append(*at(m), n)
			}
			return ok || empty(text)
		},
		write: func(b []byte, m *M) []byte {
			for _, n := range *at(m) {
				b = integerElement(b, name, n)
			}
			return b
		},
	}
}

// truth is a field that holds "true" or "false".
func truth[M any](name string, at func(*M) **bool) field[M] {
	return field[M]{
		name: name,
		text: func(m *M, text string) bool {
			value := trim(text) == "true"
			if !value && trim(text) != "false" {
				return empty(text)
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

// one is a field that holds a message made from an element with children; what has no field in it goes to its extra.
func one[M, C any](name string, at func(*M) **C, extra func(*C) *elements, fields ...field[C]) field[M] {
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

// several is a field that holds such messages, one for every element of that name.
func several[M, C any](name string, at func(*M) *[]*C, extra func(*C) *elements, fields ...field[C]) field[M] {
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

// readBox reads the children of node i; false where the node holds a text.
func readBox[C any](d *Document, i int, extra func(*C) *elements, fields []field[C]) (*C, bool) {
	if !empty(d.text(i)) {
		return nil, false
	}
	c := new(C)
	fill(d, i, c, fields)
	*extra(c) = d.rest(i)
	return c, true
}

func writeBox[C any](b []byte, name string, c *C, extra func(*C) *elements, fields []field[C]) []byte {
	b = openTag(b, name)
	b = writeFields(b, c, fields, *extra(c))
	b = writeElements(b, *extra(c))
	return closeTag(b, name)
}

// fill sets the fields of m from the children of node i, and marks those that it took.
func fill[M any](d *Document, i int, m *M, fields []field[M]) {
	var seen uint64
	likely := 0 // elements come mostly in the order of the fields
	for c, end := i+1, d.next(i); c < end; c = d.next(c) {
		n := &d.nodes[c]
		if n.taken {
			continue
		}
		name := d.name(c)
		for range fields {
			f := likely
			if likely++; likely == len(fields) {
				likely = 0
			}
			if !fields[f].named(name) {
				continue
			}
			if seen>>f&1 == 0 {
				n.taken = fields[f].take(d, c, m)
				if !fields[f].many || !n.taken {
					seen |= 1 << f
				}
			}
			break
		}
	}
}

// rest returns the children of node i that no field took.
func (d *Document) rest(i int) []*v1.Element {
	var rest []*v1.Element
	for c, end := i+1, d.next(i); c < end; c = d.next(c) {
		if !d.nodes[c].taken {
			rest = append(rest, d.tree(c))
		}
	}
	return rest
}

// tree returns node i as a generic element.
func (d *Document) tree(i int) *v1.Element {
	e := &v1.Element{Name: d.name(i), Text: d.text(i)}
	for c := i + 1; c < d.next(i); c = d.next(c) {
		e.Children = append(e.Children, d.tree(c))
	}
	return e
}

// empty tells whether an element's text says as little as a missing element.
func empty(text string) bool { return trim(text) == "" }

// parseInteger reads an integer as WeChat writes one. What another writing would lose is not read: "007", "+7", "-0".
func parseInteger[N integer](text string) (N, bool) {
	text = trim(text)
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > len("9223372036854775808") || digits[0] == '0' && text != "0" {
		return 0, false
	}
	var n uint64 // no overflow in 19 digits
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
	// Too large for 64 bits, or for N: what comes back is another number.
	if (value < 0) != (len(digits) < len(text)) || int64(N(value)) != value {
		return 0, false
	}
	return N(value), true
}
