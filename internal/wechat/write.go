package wechat

import (
	"strconv"
	"strings"

	v1 "wxgate/proto/wechat/v1"
)

// The functions in this file append XML, without blanks between elements: WeChat shows an error for those.

func openTag(b []byte, name string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	return append(b, '>')
}

func closeTag(b []byte, name string) []byte {
	b = append(b, "</"...)
	b = append(b, name...)
	return append(b, '>')
}

// plainElement appends a leaf whose text needs no CDATA section.
func plainElement(b []byte, name, text string) []byte {
	b = openTag(b, name)
	b = append(b, text...)
	return closeTag(b, name)
}

func integerElement[N integer](b []byte, name string, n N) []byte {
	b = openTag(b, name)
	b = strconv.AppendInt(b, int64(n), 10)
	return closeTag(b, name)
}

// rawElement appends a leaf whose text stands in CDATA as it is, control characters too: as WeChat sends it.
func rawElement(b []byte, name, text string) []byte {
	return closeTag(rawCDATA(openTag(b, name), text), name)
}

func rawCDATA(b []byte, text string) []byte {
	b = append(b, cdataOpen...)
	for {
		i := strings.Index(text, cdataClose)
		if i < 0 {
			break
		}
		b = append(b, text[:i+2]...)
		b = append(b, cdataClose+cdataOpen...)
		text = text[i+2:]
	}
	b = append(b, text...)
	return append(b, cdataClose...)
}

// writeFields appends the elements of a message's fields. extra is what will follow them: where a field that is not set
// would take an element of it, an empty one is written in front, as it was in the callback, because the first counts.
func writeFields[M any](b []byte, m *M, fields []field[M], extra elements) []byte {
	for i := range fields {
		before := len(b)
		b = fields[i].write(b, m)
		if len(b) == before && fields[i].takes(extra) {
			b = plainElement(b, fields[i].name, "")
		}
	}
	return b
}

// takes tells whether the field would take one of extra.
func (f *field[M]) takes(extra elements) bool {
	for _, e := range extra {
		if f.named(e.GetName()) {
			d := &Document{}
			d.grow(e)
			return !f.many && f.take(d, 0, new(M))
		}
	}
	return false
}

// grow appends a generic element to the nodes, with all that is in it.
func (d *Document) grow(e *v1.Element) {
	i := len(d.nodes)
	d.nodes = append(d.nodes, node{name: d.keep(e.GetName(), -1), text: d.keep(e.GetText(), -1)})
	for _, c := range e.GetChildren() {
		d.grow(c)
	}
	d.nodes[i].end = int32(len(d.nodes))
}

// escaper makes characters of a text that would be markup.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// writeElements appends generic elements.
func writeElements(b []byte, list elements) []byte {
	for _, e := range list {
		if len(e.GetChildren()) == 0 {
			b = rawElement(b, e.GetName(), e.GetText())
			continue
		}
		b = openTag(b, e.GetName())
		b = append(b, escaper.Replace(e.GetText())...) // beside elements a CDATA section would be a broken text
		b = writeElements(b, e.GetChildren())
		b = closeTag(b, e.GetName())
	}
	return b
}
