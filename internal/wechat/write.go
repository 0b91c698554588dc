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

// writeFields appends the elements of a message's fields.
func writeFields[M any](b []byte, m *M, fields []field[M]) []byte {
	for i := range fields {
		b = fields[i].write(b, m)
	}
	return b
}

// writeElements appends generic elements.
func writeElements(b []byte, elements []*v1.Element) []byte {
	for _, e := range elements {
		if len(e.GetChildren()) == 0 {
			b = rawElement(b, e.GetName(), e.GetText())
			continue
		}
		b = openTag(b, e.GetName())
		if e.GetText() != "" {
			b = rawCDATA(b, e.GetText())
		}
		b = writeElements(b, e.GetChildren())
		b = closeTag(b, e.GetName())
	}
	return b
}
