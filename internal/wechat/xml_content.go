package wechat

import "strings"

// elementContent is the content of an element, as far as it has been read.
type elementContent struct {
	node   int  // index of the element's node
	begin  int  // offset of the content
	root   bool // the element is the root, whose own text has no meaning
	text   textPieces
	broken bool // it has something that no sender puts beside CDATA sections
}

// parseContent reads up to and including the end tag of node i.
func (p *parser) parseContent(i int) error {
	c := elementContent{node: i, begin: p.pos, root: i == 0}
	for {
		if err := p.readCharacters(&c); err != nil {
			return err
		}
		rest := p.s[p.pos:]
		mark := byte(0) // after the "<"
		if len(rest) > 1 {
			mark = rest[1]
		}
		var err error
		switch {
		case mark == '/':
			ended := false
			if ended, err = p.readEndTag(&c); ended {
				return nil
			}
		case mark == '!' && strings.HasPrefix(rest, cdataOpen):
			err = p.readCDATA(&c)
		case mark == '!', mark == '?':
			c.broken = true
			err = p.skipMarkup()
		default:
			c.broken = true
			err = p.parseElement()
		}
		if err != nil {
			return err
		}
	}
}

// readCharacters reads up to the next "<".
func (p *parser) readCharacters(c *elementContent) error {
	length := strings.IndexByte(p.s[p.pos:], '<')
	if length < 0 {
		p.pos = len(p.s)
		return p.syntaxFail("the document ends inside an element")
	}
	if length > 0 && !c.root {
		chars := p.s[p.pos : p.pos+length]
		if strings.Contains(chars, cdataClose) {
			return p.syntaxFail("]]> outside a CDATA section")
		}
		plain := unescape(chars)
		if len(plain) == len(chars) {
			c.text.addText(chars, p.pos)
		} else {
			c.text.addText(plain, -1)
		}
		c.broken = c.broken || strings.Trim(plain, "]>"+blanks) != ""
	}
	p.pos += length
	return nil
}

// readCDATA reads a CDATA section.
func (p *parser) readCDATA(c *elementContent) error {
	begin := p.pos + len(cdataOpen)
	length := indexClose(p.s[begin:])
	if length < 0 {
		return p.syntaxFail("a CDATA section has no end")
	}
	if !c.root {
		c.text.addText(p.s[begin:begin+length], begin)
	}
	p.pos = begin + length + len(cdataClose)
	return nil
}

// readEndTag reads an end tag. It reports whether that ends the content; the node has its text then.
func (p *parser) readEndTag(c *elementContent) (ended bool, err error) {
	tagBegin := p.pos
	length := endTag(p.s[p.pos:], p.nodeName(c.node))
	if length == 0 && c.root {
		// The rest of a text that broke out of its element: that element has ended before.
		if length = strings.IndexByte(p.s[p.pos:], '>') + 1; length > 0 {
			p.pos += length
			return false, nil
		}
	}
	if length == 0 {
		return false, p.syntaxFail("an end tag does not match its start tag")
	}
	p.pos += length
	if !c.broken || c.root || !p.rejoinSections(c.node, c.begin, tagBegin) {
		p.nodes[c.node].text = p.keepText(c.text.joinedText(len(p.nodes) > c.node+1))
	}
	return true, nil
}
