package wechat

import (
	"strings"

	v1 "wxgate/proto/wechat/v1"
)

// Decode reads a callback's body, plain or taken out of its envelope. Every XML document is a message, of an unknown
// kind if need be; the error is that of Parse.
func Decode(body []byte) (*v1.Message, error) {
	d, err := Parse(body)
	if err != nil {
		return nil, err
	}
	return d.Message(), nil
}

// Message turns the document into a message by the tables of kinds. Of two elements with one name the first counts. The
// second, an element without a field, and one whose text does not fit its field go to extra. The document ends with it:
// it cannot be used again.
func (d *Document) Message() *v1.Message {
	defer d.end()
	m := &v1.Message{}
	fill(d, 0, m, envelope)
	if k := messageKinds.find(m.MsgType); k != nil {
		k.read(d, m)
	} else {
		m.Content = &v1.Message_Unknown{Unknown: &v1.Unknown{}}
	}
	m.Extra = d.rest(0)
	return m
}

// EncodeMessage returns the XML of a message, as WeChat would send it in plain mode: what Decode reads from it is the
// message again.
func EncodeMessage(m *v1.Message) []byte {
	b := append(make([]byte, 0, 1024), "<xml>"...)
	b = writeFields(b, m, envelope, m.GetExtra())
	for _, k := range messageKinds.list {
		b = k.write(b, m, m.GetExtra())
	}
	b = writeElements(b, m.GetExtra())
	return append(b, "</xml>"...)
}

// kind is one kind of P, which is a Message or an Event.
type kind[P any] struct {
	name  string // MsgType or Event, as WeChat writes it
	also  string // another name; "": none
	read  func(d *Document, p *P)
	write func(b []byte, p *P, extra elements) []byte // nothing where p is of another kind; extra as in writeFields
}

// newKind returns the kind whose elements are the fields of K; put and get tie K to its arm of P.
func newKind[P, K any](name string, put func(*P, *K), get func(*P) *K, fields ...field[K]) kind[P] {
	return kind[P]{
		name: name,
		read: func(d *Document, p *P) {
			k := new(K)
			fill(d, 0, k, fields)
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

// boxedKind returns the kind whose elements all stand in one element, box. What has no field in it goes to K's extra.
// Where the box is missing, as in the JSON form of some events, the elements are read from the root.
func boxedKind[P, K any](name, box string, put func(*P, *K), get func(*P) *K, extra func(*K) *elements, fields ...field[K]) kind[P] {
	type boxed struct{ k *K }
	in := []field[boxed]{one(box, func(x *boxed) **K { return &x.k }, extra, fields...)}
	return kind[P]{
		name: name,
		read: func(d *Document, p *P) {
			var x boxed
			fill(d, 0, &x, in)
			if x.k == nil {
				x.k = new(K)
				if _, sent := d.Text(box); !sent {
					fill(d, 0, x.k, fields)
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

// called adds another name.
func called[P any](also string, k kind[P]) kind[P] {
	k.also = also
	return k
}

// kinds is a table of kinds.
type kinds[P any] struct {
	list   []kind[P]
	byName map[string]*kind[P] // in lower case
}

func tableOf[P any](list ...kind[P]) *kinds[P] {
	t := &kinds[P]{list: list, byName: map[string]*kind[P]{}}
	for i := range list {
		t.byName[strings.ToLower(list[i].name)] = &list[i]
		if list[i].also != "" {
			t.byName[strings.ToLower(list[i].also)] = &list[i]
		}
	}
	return t
}

// find returns the kind of that name, in whatever case; nil for an unknown one.
func (t *kinds[P]) find(name string) *kind[P] { return t.byName[strings.ToLower(name)] }
