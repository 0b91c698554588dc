package fakewechat

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// RenewCallback returns a callback's XML with another MsgId and the current CreateTime: a gateway takes it for a new one.
// Elements that it lacks are not added, and what is not XML stays as it is. Two callbacks without MsgId differ by their
// CreateTime alone, in seconds: that of the new one is later, even if the old one was sent in the same second.
func RenewCallback(callback []byte, now time.Time) []byte {
	if _, err := topLevel(callback); err != nil {
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

// sameSeconds is how far ahead of the clock a CreateTime may be that was itself made later than another.
const sameSeconds = 60

// laterThan returns the time in seconds, or if old is that or a little more, the second after old.
func laterThan(old string, now time.Time) int64 {
	seconds := now.Unix()
	before, err := strconv.ParseInt(strings.TrimSpace(old), 10, 64)
	if err == nil && before >= seconds && before < seconds+sameSeconds {
		return before + 1
	}
	return seconds
}

// elementContent is where the content of an element stands in a callback.
type elementContent struct {
	name       string
	begin, end int
}

// contentsOf returns the contents of a callback's elements of these names, in their order. The callback is XML.
func contentsOf(callback []byte, names ...string) (found []elementContent) {
	d := xml.NewDecoder(bytes.NewReader(readable(callback)))
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

// unreadable reports whether encoding/xml does not read a character.
func unreadable(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
}

// readable returns a callback with blanks for what encoding/xml does not read. Nothing moves.
func readable(callback []byte) []byte {
	clean := bytes.Clone(callback)
	for i := 0; i < len(clean); {
		r, size := utf8.DecodeRune(clean[i:])
		if unreadable(r) || r == utf8.RuneError && size == 1 {
			copy(clean[i:], "   "[:size])
		}
		i += size
	}
	return clean
}
