package wechat

import (
	"strings"

	v1 "wxgate/proto/wechat/v1"
)

// Decode parses the body of a callback, in plain text or decrypted. Every XML document is a message, at least of an unknown
// kind; the error is that of Parse.
func Decode(body []byte) (*v1.Message, error) {
	d, err := Parse(body)
	if err != nil {
		return nil, err
	}
	return d.Message(), nil
}

// Message turns the document into a message by the tables of kinds. If two elements have the same name, the first counts. The
// second goes to extra, as does an element without a field, or whose text does not fit its field. The document cannot be
// used again.
func (d *Document) Message() *v1.Message {
	defer d.recycle()
	m := &v1.Message{}
	setFields(d, 0, m, envelope)
	if k := messageKinds.findKind(m.MsgType); k != nil {
		k.read(d, m)
	} else {
		m.Content = &v1.Message_Unknown{Unknown: &v1.Unknown{}}
	}
	m.Extra = d.untakenChildren(0)
	return m
}

// EncodeMessage returns the XML of a message, as WeChat would send it in plain mode. Decode returns the same message from it.
func EncodeMessage(m *v1.Message) []byte {
	b := append(make([]byte, 0, 1024), "<xml>"...)
	b = writeFields(b, m, envelope, m.GetExtra())
	for _, k := range messageKinds.list {
		b = k.write(b, m, m.GetExtra())
	}
	b = writeElements(b, m.GetExtra())
	return append(b, "</xml>"...)
}

// kind is one kind of P; P is Message or Event.
type kind[P any] struct {
	name  string // MsgType or Event, as WeChat writes it
	also  string // an alternative name; "": none
	read  func(d *Document, p *P)
	write func(b []byte, p *P, extra elements) []byte // appends nothing if p is of another kind; extra as in writeFields
}

// newKind returns a kind whose elements are the fields of K; put and get access the arm of P that holds K.
func newKind[P, K any](name string, put func(*P, *K), get func(*P) *K, fields ...field[K]) kind[P] {
	return kind[P]{
		name: name,
		read: func(d *Document, p *P) {
			k := new(K)
			setFields(d, 0, k, fields)
			put(p, k)
		},
		write: func(b []byte, p *P, extra elements) []byte {
			if k := get(p); k != nil {
				b = writeFields(b, k, fields, extra)
			}
			return b
		},
	}
}

// boxedKind returns a kind whose elements are all inside one element, box. Elements in it without a field go to K's extra. If
// the box is missing, as in the JSON form of some events, the elements are read from the root.
func boxedKind[P, K any](name, box string, put func(*P, *K), get func(*P) *K, extra func(*K) *elements, fields ...field[K]) kind[P] {
	type boxed struct{ k *K }
	in := []field[boxed]{messageField(box, func(x *boxed) **K { return &x.k }, extra, fields...)}
	return kind[P]{
		name: name,
		read: func(d *Document, p *P) {
			var x boxed
			setFields(d, 0, &x, in)
			if x.k == nil {
				x.k = new(K)
				if _, sent := d.Text(box); !sent {
					setFields(d, 0, x.k, fields)
				}
			}
			put(p, x.k)
		},
		write: func(b []byte, p *P, extra elements) []byte {
			if k := get(p); k != nil {
				b = writeFields(b, &boxed{k}, in, extra)
			}
			return b
		},
	}
}

// withName adds an alternative name to a kind.
func withName[P any](also string, k kind[P]) kind[P] {
	k.also = also
	return k
}

// kindTable is a list of kinds, with an index by name.
type kindTable[P any] struct {
	list   []kind[P]
	byName map[string]*kind[P] // in lower case
}

func tableOf[P any](list ...kind[P]) *kindTable[P] {
	t := &kindTable[P]{list: list, byName: map[string]*kind[P]{}}
	for i := range list {
		t.byName[strings.ToLower(list[i].name)] = &list[i]
		if list[i].also != "" {
			t.byName[strings.ToLower(list[i].also)] = &list[i]
		}
	}
	return t
}

// findKind returns the kind with that name, in any case; nil if it is unknown.
func (t *kindTable[P]) findKind(name string) *kind[P] { return t.byName[strings.ToLower(name)] }
