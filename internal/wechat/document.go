package wechat

import "sync"

// Document is a callback's body, parsed. Its texts share the memory of one copy of the body. Message ends it.
type Document struct {
	body  string
	made  []string // texts that do not stand in the body as they are
	nodes []node   // in document order; the first is the root
	room  [24]node
}

// documents are kept for the next callback: they are a fifth of what reading one costs.
var documents = sync.Pool{New: func() any { return new(Document) }}

// newDocument returns a document without nodes.
func newDocument(body string) *Document {
	d := documents.Get().(*Document)
	d.body, d.nodes = body, d.room[:0]
	return d
}

// end gives the document back; what was taken from it stays.
func (d *Document) end() {
	d.body, d.made, d.nodes = "", nil, nil
	documents.Put(d)
}

// node is an element. Its children are the nodes behind it, up to end. It holds no pointers, which is half the cost of
// a document's memory.
type node struct {
	name, text span
	end        int32 // index behind its last descendant
	taken      bool  // a field has it
}

// span is a text of a document: a part of the body, or where from is negative number -1-from of those made.
type span struct{ from, to int32 }

// keep returns the span of a text, which begins at an offset of the body; -1: nowhere.
func (d *Document) keep(text string, at int) span {
	if at < 0 && text != "" {
		d.made = append(d.made, text)
		return span{from: int32(-len(d.made))}
	}
	return span{int32(max(at, 0)), int32(max(at, 0) + len(text))}
}

func (d *Document) string(s span) string {
	if s.from < 0 {
		return d.made[-1-s.from]
	}
	return d.body[s.from:s.to]
}

// name returns the name of node i.
func (d *Document) name(i int) string { return d.string(d.nodes[i].name) }

// text returns the text of node i.
func (d *Document) text(i int) string { return d.string(d.nodes[i].text) }

// next returns the index behind node i and all that is in it.
func (d *Document) next(i int) int { return int(d.nodes[i].end) }

// Text returns the text of the first child of the root with that name, blanks around it trimmed.
func (d *Document) Text(name string) (text string, ok bool) {
	for c := 1; c < d.next(0); c = d.next(c) {
		if d.name(c) == name {
			return trim(d.text(c)), true
		}
	}
	return "", false
}
