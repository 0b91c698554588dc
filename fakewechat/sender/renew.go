package sender

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RenewCallback returns a callback's XML with another MsgId and the current CreateTime, so that a gateway takes it for a new
// message. Missing elements are not added, and a callback that is not XML stays as it is. Callbacks without MsgId differ by
// CreateTime alone, in seconds: the new CreateTime is later, even if the old callback was sent in the same second.
func RenewCallback(callback []byte, now time.Time) []byte {
	if _, err := ReadElements(callback); err != nil {
		return callback
	}
	renewed, end := make([]byte, 0, len(callback)+20), 0
	for _, e := range contentsOf(callback, "MsgId", "CreateTime") {
		value := strconv.FormatInt(newMsgID(), 10)
		if e.name == "CreateTime" {
			value = strconv.FormatInt(laterThan(string(callback[e.begin:e.end]), now), 10)
		}
		renewed = append(append(renewed, callback[end:e.begin]...), value...)
		end = e.end
	}
	return append(renewed, callback[end:]...)
}

// sameSeconds is how many seconds a renewed CreateTime may be ahead of the clock.
const sameSeconds = 60

// laterThan returns now in seconds. If old is the same second or up to a minute later, it returns the second after old.
func laterThan(old string, now time.Time) int64 {
	seconds := now.Unix()
	before, err := strconv.ParseInt(strings.TrimSpace(old), 10, 64)
	if err == nil && before >= seconds && before < seconds+sameSeconds {
		return before + 1
	}
	return seconds
}

// elementContent is the position of an element's content in a callback.
type elementContent struct {
	name       string
	begin, end int
}

// contentsOf returns the contents of a callback's elements with these names, in their order. The callback must be XML.
func contentsOf(callback []byte, names ...string) (found []elementContent) {
	d := xml.NewDecoder(bytes.NewReader(replaceUnreadable(callback)))
	depth := 0
	for {
		before := int(d.InputOffset())
		token, err := d.Token()
		if err != nil {
			return found
		}
		switch t := token.(type) {
		case xml.StartElement:
			begin := int(d.InputOffset())
			if depth++; depth == 2 && slices.Contains(names, t.Name.Local) && callback[begin-2] != '/' {
				found = append(found, elementContent{t.Name.Local, begin, 0})
			}
		case xml.EndElement:
			if last := len(found) - 1; depth == 2 && last >= 0 && found[last].end == 0 {
				found[last].end = before
			}
			depth--
		}
	}
}
