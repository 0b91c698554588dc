package wechat

import "sync"

// Document is the parsed body of a callback. Its texts share the memory of one copy of the body. After Message it cannot be
// used again.
type Document struct {
	body  string
	made  []string // texts that are not in the body as they are
	nodes []node   // in document order; the first is the root
	room  [24]node
}

// documents are reused: allocating them would be a fifth of the cost of reading a callback.
var documents = sync.Pool{New: func() any { return new(Document) }}

// newDocument returns a document without nodes.
func newDocument(body string) *Document {
	d := documents.Get().(*Document)
	d.body, d.nodes = body, d.room[:0]
	return d
}

// recycle returns the document to the pool. Texts taken from it stay valid.
func (d *Document) recycle() {
	d.body, d.made, d.nodes = "", nil, nil
	documents.Put(d)
}

// node is an element. Its children are the nodes after it, up to end. It has no pointers, which halves the cost of a
// document's memory.
type node struct {
	name, text span
	end        int32 // index after its last descendant
	taken      bool  // a field was set from it
}

// span is a text of a document: a part of the body or, if from is negative, entry -1-from of made.
type span struct{ from, to int32 }

// keepText returns the span of a text. at is its offset in the body; -1: it is not in the body.
func (d *Document) keepText(text string, at int) span {
	if at < 0 && text != "" {
		d.made = append(d.made, text)
		return span{from: int32(-len(d.made))}
	}
	return span{int32(max(at, 0)), int32(max(at, 0) + len(text))}
}

func (d *Document) spanText(s span) string {
	if s.from < 0 {
		return d.made[-1-s.from]
	}
	return d.body[s.from:s.to]
}

// nodeName returns the name of node i.
func (d *Document) nodeName(i int) string { return d.spanText(d.nodes[i].name) }

// nodeText returns the text of node i.
func (d *Document) nodeText(i int) string { return d.spanText(d.nodes[i].text) }

// nextSibling returns the index after node i and its descendants.
func (d *Document) nextSibling(i int) int { return int(d.nodes[i].end) }

// Text returns the text of the root's first child with that name, without the blanks around it.
func (d *Document) Text(name string) (text string, ok bool) {
	for c := 1; c < d.nextSibling(0); c = d.nextSibling(c) {
		if d.nodeName(c) == name {
			return trimBlanks(d.nodeText(c)), true
		}
	}
	return "", false
}
