package fakewechat

import (
	"bytes"

	"wxgate/fakewechat/sender"
)

// textElements are the elements with texts that a user writes or reads.
var textElements = []string{"Content", "Label", "Recognition", "Title", "Description", "EventKey"}

// changeType gives a message an unknown MsgType, and an event an unknown Event. It returns false if the callback has neither.
func (l faultDice) changeType(callback []byte) ([]byte, bool) {
	if from, to, found := cdataOf(callback, "Event"); found {
		return spliceBytes(callback, from, to, "unknown_event"), true
	}
	if from, to, found := cdataOf(callback, "MsgType"); found {
		return spliceBytes(callback, from, to, "unknown_type"), true
	}
	return callback, false
}

// addControl puts a control character into a callback's first text. It returns false if there is no text.
func (l faultDice) addControl(callback []byte) ([]byte, bool) {
	const some = "\x00\x01\x08\x0B\x0C\x1B\x1F\x7F"
	for _, name := range textElements {
		if from, _, found := cdataOf(callback, name); found {
			i := int(l.drawNumber("which control character", 0) * float64(len(some)))
			return spliceBytes(callback, from, from, some[i:i+1]), true
		}
	}
	return callback, false
}

// breakCDATA ends the CDATA of a callback's first text at once, or removes its end. It returns false if there is no text.
func (l faultDice) breakCDATA(callback []byte) ([]byte, bool) {
	for _, name := range textElements {
		from, to, found := cdataOf(callback, name)
		switch {
		case !found:
		case l.drawNumber("how CDATA is broken", 0) < 0.5:
			return spliceBytes(callback, from, from, sender.CDATAEnd), true
		default:
			return spliceBytes(callback, to, to+len(sender.CDATAEnd), ""), true
		}
	}
	return callback, false
}

// cdataOf returns the positions at which the CDATA of the first element with a name begins and ends.
func cdataOf(callback []byte, name string) (from, to int, found bool) {
	begin := []byte("<" + name + ">" + sender.CDATAStart)
	i := bytes.Index(callback, begin)
	if i < 0 {
		return 0, 0, false
	}
	from = i + len(begin)
	n := bytes.Index(callback[from:], []byte(sender.CDATAEnd))
	return from, from + n, n >= 0
}

// spliceBytes returns a copy of b with other bytes in place of those from from to to.
func spliceBytes(b []byte, from, to int, with string) []byte {
	return append(append(append(make([]byte, 0, len(b)+len(with)), b[:from]...), with...), b[to:]...)
}
