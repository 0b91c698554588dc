package wechat

import "strings"

// rejoinSections makes one text of the content of node i if that begins and ends with a CDATA section, and reports whether it
// did. The user wrote "]]>", markup and "<![CDATA[", and WeChat did not escape them: no sender puts elements or comments
// between CDATA sections, and a "]]>" that was split over two sections has only its own characters there.
func (p *parser) rejoinSections(i, begin, end int) bool {
	body := trimBlanks(p.s[begin:end])
	if len(body) < len(cdataOpen)+len(cdataClose) || !strings.HasPrefix(body, cdataOpen) || !strings.HasSuffix(body, cdataClose) {
		return false
	}
	begin += len(p.s[begin:end]) - len(trimLeft(p.s[begin:end])) + len(cdataOpen)
	p.nodes = p.nodes[:i+1]
	p.nodes[i].text = p.keepText(body[len(cdataOpen):len(body)-len(cdataClose)], begin)
	return true
}

// repairText reads node i again after its text broke out of its CDATA section, so that the document was malformed or seemed to
// have a DOCTYPE. The text then ends at the first "]]>" before the node's end tag. If there is none, repairText returns
// cause.
func (p *parser) repairText(i, begin int, cause error) error {
	p.repairs++
	body := p.s[begin:]
	open := len(body) - len(trimLeft(body))
	if p.repairs > maxRepairs || !strings.HasPrefix(body[open:], cdataOpen) {
		return cause
	}
	from := open + len(cdataOpen)
	for at := from; ; {
		n := indexClose(body[at:])
		if n < 0 {
			return cause
		}
		at += n + len(cdataClose)
		tail := trimLeft(body[at:])
		if n := endTag(tail, p.nodeName(i)); n > 0 {
			p.nodes = p.nodes[:i+1]
			p.nodes[i].text = p.keepText(body[from:at-len(cdataClose)], begin+from)
			p.pos = begin + len(body) - len(tail) + n
			return nil
		}
	}
}
