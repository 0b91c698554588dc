package wechat

import (
	"strconv"
	"strings"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Decode reads a callback's body, plain or taken out of its envelope. Every XML document is a message, of an unknown
// kind if need be; the error is that of Parse.
func Decode(body []byte) (*wechatv1.Message, error) {
	d, err := Parse(body)
	if err != nil {
		return nil, err
	}
	return d.Message(), nil
}

// Message turns the document into a message by the tables of kinds. Of two elements with one name the first counts. The
// second, an element without a field, and one whose text does not fit its field go to extra.
func (d *Document) Message() *wechatv1.Message {
	m := &wechatv1.Message{}
	fill(d, m, envelope)
	read, ok := messageKinds[strings.ToLower(m.MsgType)]
	if !ok {
		read = unknownMessage
	}
	read(d, m)
	for c := 1; c < d.nodes[0].end; c = d.nodes[c].end {
		if !d.nodes[c].taken {
			m.Extra = append(m.Extra, d.tree(c))
		}
		d.nodes[c].taken = false // so that a second call finds the same
	}
	return m
}

// tree returns node i as a generic element.
func (d *Document) tree(i int) *wechatv1.Element {
	e := &wechatv1.Element{Name: d.nodes[i].name, Text: d.nodes[i].text}
	for c := i + 1; c < d.nodes[i].end; c = d.nodes[c].end {
		e.Children = append(e.Children, d.tree(c))
	}
	return e
}

// field ties an element's name to a field of M. set is false where the text does not fit.
type field[M any] struct {
	name string
	set  func(m *M, text string) bool
}

// words is a field that holds people's words, or anything else that stays exactly as sent.
func words[M any](name string, at func(*M) *string) field[M] {
	return field[M]{name, func(m *M, text string) bool { *at(m) = text; return true }}
}

// token is a field that holds an identifier, a key, a URL or a decimal: blanks around it are layout.
func token[M any](name string, at func(*M) *string) field[M] {
	return field[M]{name, func(m *M, text string) bool { *at(m) = trim(text); return true }}
}

// number is a field that holds an integer.
func number[M any, N int32 | int64](name string, at func(*M) *N) field[M] {
	return field[M]{name, func(m *M, text string) bool {
		text = trim(text)
		if text == "" {
			return true // the same as a missing element
		}
		n, err := strconv.ParseInt(text, 10, 64)
		*at(m) = N(n)
		if err != nil || int64(N(n)) != n {
			*at(m) = 0
			return false
		}
		return true
	}}
}

// fill sets the fields of m from the root's children.
func fill[M any](d *Document, m *M, fields []field[M]) {
	var seen uint64
	for c := 1; c < d.nodes[0].end; c = d.nodes[c].end {
		n := &d.nodes[c]
		if n.taken || n.end != c+1 {
			continue
		}
		for i := range fields {
			if fields[i].name == n.name && seen>>i&1 == 0 {
				seen |= 1 << i
				n.taken = fields[i].set(m, n.text)
				break
			}
		}
	}
}
