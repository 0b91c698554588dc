package sender

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// The begin and the end of a CDATA section.
const (
	CDATAStart = "<![CDATA["
	CDATAEnd   = "]]>"
)

// xmlWriter writes elements in the layout of WeChat's callbacks: one per line, strings in CDATA.
type xmlWriter struct{ b []byte }

func (x *xmlWriter) writeRaw(s string) { x.b = append(x.b, s...) }

func (x *xmlWriter) writeText(name, s string) {
	x.writeNumber(name, CDATAStart+strings.ReplaceAll(s, CDATAEnd, "]]]]><![CDATA[>")+CDATAEnd)
}

func (x *xmlWriter) writeNumber(name, s string) {
	x.writeRaw("<" + name + ">" + s + "</" + name + ">\n")
}

func (x *xmlWriter) writeMsgID() { x.writeNumber("MsgId", strconv.FormatInt(newMsgID(), 10)) }

// newMsgID makes a MsgId. Like WeChat's it does not fit into a float64.
func newMsgID() int64 { return 10_000_000_000_000_000 + rand.Int64N(9e18) }
