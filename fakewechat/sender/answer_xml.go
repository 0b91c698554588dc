package sender

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"wxgate/internal/wechat"
)

// xmlNode is an element of an answer.
type xmlNode struct {
	name     string
	text     []byte // its own character data, joined
	cdata    bool   // some of its text stands in CDATA
	blank    bool   // a piece of its text outside of CDATA is nothing but blanks
	children []*xmlNode
}

// maxDepth is far above the depth of a reply, which is 4.
const maxDepth = 8

// answerParser builds the tree of an answer's elements.
type answerParser struct {
	root *xmlNode
	open []*xmlNode // the elements that have begun and not ended, the outermost first
}

// parseAnswer reads the XML of an answer, strictly. Its error is a sentence that says why WeChat would reject it.
func parseAnswer(body []byte) (*xmlNode, error) {
	if err := rejectNonXML(body); err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	var p answerParser
	for {
		begin := d.InputOffset()
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && p.root == nil:
			return nil, Because("the answer has no element <xml>")
		case errors.Is(err, io.EOF):
			return p.root, nil
		case err != nil:
			return nil, Because("the answer is not well-formed XML: %s", Clip(err.Error(), 160))
		}
		if err := p.addToken(token, begin, bytes.HasPrefix(body[begin:], []byte("<![CDATA["))); err != nil {
			return nil, err
		}
	}
}

func (p *answerParser) addToken(token xml.Token, begin int64, cdata bool) error {
	switch t := token.(type) {
	case xml.Directive:
		return Because("the answer has a DOCTYPE")
	case xml.ProcInst:
		if begin != 0 || t.Target != "xml" {
			return Because("the answer has a processing instruction; at most an XML declaration may stand at its start")
		}
	case xml.StartElement:
		return p.addElement(t.Name)
	case xml.EndElement:
		p.open = p.open[:len(p.open)-1]
	case xml.CharData:
		return p.addText(t, cdata)
	}
	return nil
}

func (p *answerParser) addElement(name xml.Name) error {
	n := &xmlNode{name: name.Local}
	if name.Space != "" {
		n.name = name.Space + ":" + n.name
	}
	switch {
	case len(p.open) >= maxDepth:
		return Because("the answer's elements are nested deeper than %d", maxDepth)
	case len(p.open) > 0:
		parent := p.open[len(p.open)-1]
		parent.children = append(parent.children, n)
	case p.root != nil:
		return Because("the answer has more than one root element")
	case strings.EqualFold(n.name, "html"):
		return Because("the answer is an HTML page")
	case n.name != "xml":
		return Because("the answer's root element is <%s>, not <xml>", Clip(n.name, 40))
	default:
		p.root = n
	}
	p.open = append(p.open, n)
	return nil
}

func (p *answerParser) addText(text []byte, cdata bool) error {
	isBlank := len(bytes.TrimSpace(text)) == 0
	if len(p.open) == 0 {
		if !isBlank {
			return Because("text stands outside of the answer's <xml>")
		}
		return nil
	}
	n := p.open[len(p.open)-1]
	n.text = append(n.text, text...)
	n.cdata = n.cdata || cdata
	n.blank = n.blank || isBlank && !cdata
	return nil
}

// rejectNonXML names the usual answers that are not XML at all.
func rejectNonXML(body []byte) error {
	text := bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(body, []byte("\xEF\xBB\xBF")):
		return Because("the answer begins with a byte order mark")
	case bytes.EqualFold(bytes.Trim(body, " \t\r\n\"'"), []byte(wechat.Success)):
		return Because("the answer is not exactly success: lower case, without blanks, newline or quotes")
	case len(text) == 0:
		return Because("the answer is blank: it must be XML, success, or have no byte at all")
	case json.Valid(text):
		return Because("the answer is JSON; official accounts take XML only")
	case text[0] == '<':
		return nil
	case bytes.Contains(text, []byte("<xml>")):
		return Because("text stands before the answer's <xml>")
	}
	return Because("the answer is neither XML nor success nor empty")
}
