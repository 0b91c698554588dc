package fakewechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"wxgate/internal/wechat"
)

// node is an element of an answer.
type node struct {
	name     string
	text     []byte // its own character data, joined
	cdata    bool   // some of it stands in CDATA
	blank    bool   // a piece of it is nothing but blanks, outside of CDATA
	children []*node
}

// maxDepth is far above what a reply needs, which is 4.
const maxDepth = 8

// parse reads the XML of an answer, strictly. Its error is a sentence that says why WeChat would refuse it.
func parse(body []byte) (*node, error) {
	if err := notXML(body); err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	var root *node
	var open []*node
	for {
		begin := d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, because("the answer is not well-formed XML: %s", clip(err.Error(), 160))
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, because("the answer has a DOCTYPE")
		case xml.ProcInst:
			if begin != 0 || t.Target != "xml" {
				return nil, because("the answer has a processing instruction; at most an XML declaration may stand at its start")
			}
		case xml.StartElement:
			n := &node{name: t.Name.Local}
			if t.Name.Space != "" {
				n.name = t.Name.Space + ":" + n.name
			}
			switch {
			case len(open) >= maxDepth:
				return nil, because("the answer's elements are nested deeper than %d", maxDepth)
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, n)
			case root != nil:
				return nil, because("the answer has more than one root element")
			case strings.EqualFold(n.name, "html"):
				return nil, because("the answer is an HTML page")
			case n.name != "xml":
				return nil, because("the answer's root element is <%s>, not <xml>", clip(n.name, 40))
			default:
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) == 0 {
				if len(bytes.TrimSpace(t)) > 0 {
					return nil, because("text stands outside of the answer's <xml>")
				}
				continue
			}
			n := open[len(open)-1]
			n.text = append(n.text, t...)
			if bytes.HasPrefix(body[begin:], []byte("<![CDATA[")) {
				n.cdata = true
			} else if len(bytes.TrimSpace(t)) == 0 {
				n.blank = true
			}
		}
	}
	if root == nil {
		return nil, because("the answer has no element <xml>")
	}
	return root, nil
}

// notXML names the usual answers that are no XML at all.
func notXML(body []byte) error {
	text := bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(body, []byte("\xEF\xBB\xBF")):
		return because("the answer begins with a byte order mark")
	case bytes.EqualFold(bytes.Trim(body, " \t\r\n\"'"), []byte(wechat.Success)):
		return because("the answer is not exactly success: lower case, without blanks, newline or quotes")
	case len(text) == 0:
		return because("the answer is blank: it must be XML, success, or have no byte at all")
	case json.Valid(text):
		return because("the answer is JSON; official accounts take XML only")
	case text[0] == '<':
		return nil
	case bytes.Contains(text, []byte("<xml>")):
		return because("text stands before the answer's <xml>")
	}
	return because("the answer is neither XML nor success nor empty")
}
