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

// rawElement appends a leaf with an unchanged text in CDATA, control characters included, as WeChat sends it.
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

// writeFields appends the elements of a message's fields. extra has the elements that will follow them. If a field that is not
// set would take one of them, writeFields appends an empty element for it, as the callback had: the first element counts.
func writeFields[M any](b []byte, m *M, fields []field[M], extra elements) []byte {
	for i := range fields {
		before := len(b)
		b = fields[i].write(b, m)
		if len(b) == before && fields[i].takesExtra(extra) {
			b = plainElement(b, fields[i].name, "")
		}
	}
	return b
}

// takesExtra reports whether the field would take an element of extra.
func (f *field[M]) takesExtra(extra elements) bool {
	for _, e := range extra {
		if f.matchesName(e.GetName()) {
			d := &Document{}
			d.appendElement(e)
			return !f.many && f.takeNode(d, 0, new(M))
		}
	}
	return false
}

// appendElement appends a generic element and its descendants to the nodes.
func (d *Document) appendElement(e *v1.Element) {
	i := len(d.nodes)
	d.nodes = append(d.nodes, node{name: d.keepText(e.GetName(), -1), text: d.keepText(e.GetText(), -1)})
	for _, c := range e.GetChildren() {
		d.appendElement(c)
	}
	d.nodes[i].end = int32(len(d.nodes))
}

// escaper escapes the characters of a text that would be markup.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// writeElements appends generic elements.
func writeElements(b []byte, list elements) []byte {
	for _, e := range list {
		if len(e.GetChildren()) == 0 {
			b = rawElement(b, e.GetName(), e.GetText())
			continue
		}
		b = openTag(b, e.GetName())
		b = append(b, escaper.Replace(e.GetText())...) // not in CDATA: beside elements that would be read as a text that broke out of its section
		b = writeElements(b, e.GetChildren())
		b = closeTag(b, e.GetName())
	}
	return b
}
