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
	read  func(d *Document, i int, m *M) bool // takes node i; false leaves it to extra
	write func(b []byte, m *M) []byte         // appends the field's elements
}

// spelled adds another spelling, where the SDKs of the field disagree.
func spelled[M any](also string, f field[M]) field[M] {
	f.also = also
	return f
}

// named tells whether elements of that name belong to the field.
func (f *field[M]) named(name string) bool { return name == f.name || name == f.also && name != "" }

// words is a field that holds people's words, exactly as sent.
func words[M any](name string, at func(*M) *string) field[M] {
	return stringField(name, at, func(s string) string { return s })
}

// token is a field that holds an identifier, a key, a URL or a decimal: blanks around it are layout.
func token[M any](name string, at func(*M) *string) field[M] {
	return stringField(name, at, trim)
}

func stringField[M any](name string, at func(*M) *string, clean func(string) string) field[M] {
	return field[M]{
		name: name,
		read: leaf(func(m *M, text string) bool { *at(m) = clean(text); return true }),
		write: func(b []byte, m *M) []byte {
			if s := *at(m); s != "" {
				b = rawElement(b, name, s)
			}
			return b
		},
	}
}

// leaf makes a reader of elements without children.
func leaf[M any](set func(m *M, text string) bool) func(*Document, int, *M) bool {
	return func(d *Document, i int, m *M) bool {
		return d.nodes[i].end == i+1 && set(m, d.nodes[i].text)
	}
}

// integer is what a field of numbers can hold.
type integer interface{ int32 | int64 }

// number is a field that holds an integer, 0 included.
func number[M any, N integer](name string, at func(*M) **N) field[M] {
	return field[M]{
		name: name,
		read: leaf(func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			if ok {
				*at(m) = &n
			}
			return ok || empty(text)
		}),
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
		read: leaf(func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			*at(m) = n
			return ok && n != 0 || empty(text)
		}),
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
		read: leaf(func(m *M, text string) bool {
			n, ok := parseInteger[N](text)
			if ok {
				*at(m) = append(*at(m), n)
			}
			return ok || empty(text)
		}),
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
		read: leaf(func(m *M, text string) bool {
			value := trim(text) == "true"
			if !value && trim(text) != "false" {
				return empty(text)
			}
			*at(m) = &value
			return true
		}),
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
		read: func(d *Document, i int, m *M) bool {
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
		read: func(d *Document, i int, m *M) bool {
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
	if !empty(d.nodes[i].text) {
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
	for c := i + 1; c < d.nodes[i].end; c = d.nodes[c].end {
		n := &d.nodes[c]
		if n.taken {
			continue
		}
		for f := range fields {
			if !fields[f].named(n.name) {
				continue
			}
			if seen>>f&1 == 0 {
				n.taken = fields[f].read(d, c, m)
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
	for c := i + 1; c < d.nodes[i].end; c = d.nodes[c].end {
		if !d.nodes[c].taken {
			rest = append(rest, d.tree(c))
		}
	}
	return rest
}

// tree returns node i as a generic element.
func (d *Document) tree(i int) *v1.Element {
	e := &v1.Element{Name: d.nodes[i].name, Text: d.nodes[i].text}
	for c := i + 1; c < d.nodes[i].end; c = d.nodes[c].end {
		e.Children = append(e.Children, d.tree(c))
	}
	return e
}

// empty tells whether an element's text says as little as a missing element.
func empty(text string) bool { return trim(text) == "" }

// parseInteger reads an integer as WeChat writes one. What another writing would lose is not read: "007", "+7".
func parseInteger[N integer](text string) (N, bool) {
	text = trim(text)
	n, err := strconv.ParseInt(text, 10, 64)
	digits := strings.TrimPrefix(text, "-")
	if err != nil || int64(N(n)) != n || digits[0] == '+' || digits[0] == '0' && text != "0" {
		return 0, false
	}
	return N(n), true
}
