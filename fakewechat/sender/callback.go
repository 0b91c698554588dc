package sender

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Callback is a message or event as WeChat posts it to a gateway, before it is signed and sealed.
type Callback struct {
	XML []byte // plain

	// Elements of the XML, without blanks around them. The reply is judged by them.
	To, From       string // ToUserName and FromUserName
	MsgType, Event string
	MenuItem       string // bizmsgmenuid: the item of a menu message that the user tapped
}

// ReadCallback reads a callback. If an element occurs twice, the first one counts.
func ReadCallback(plain []byte) (Callback, error) {
	c := Callback{XML: plain}
	elements, err := ReadElements(plain)
	if err != nil {
		return c, err
	}
	first := map[string]string{}
	for _, e := range elements {
		if _, ok := first[e.Name]; !ok {
			first[e.Name] = strings.TrimSpace(e.Value)
		}
	}
	c.To, c.From = first["ToUserName"], first["FromUserName"]
	c.MsgType, c.Event, c.MenuItem = first["MsgType"], first["Event"], first["bizmsgmenuid"]
	return c, nil
}

// ReadElements returns the elements of a callback and their own texts.
func ReadElements(callback []byte) ([]Field, error) {
	// WeChat passes control characters on, which encoding/xml rejects.
	clean := bytes.Map(func(r rune) rune {
		if isUnreadable(r) {
			return ' '
		}
		return r
	}, callback)
	var x struct {
		XMLName  xml.Name
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(clean, &x); err != nil {
		return nil, fmt.Errorf("the callback is not XML: %w", err)
	}
	if !bytes.HasSuffix(bytes.TrimSpace(callback), []byte("</xml>")) {
		return nil, errors.New("the callback is not XML that ends with </xml>")
	}
	elements := make([]Field, 0, len(x.Children))
	for _, c := range x.Children {
		elements = append(elements, Field{c.XMLName.Local, c.Text})
	}
	return elements, nil
}

// isUnreadable reports whether encoding/xml rejects a character.
func isUnreadable(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
}

// replaceUnreadable returns a callback with blanks in place of the bytes that encoding/xml rejects. All others keep their
// positions.
func replaceUnreadable(callback []byte) []byte {
	clean := bytes.Clone(callback)
	for i := 0; i < len(clean); {
		r, size := utf8.DecodeRune(clean[i:])
		if isUnreadable(r) || r == utf8.RuneError && size == 1 {
			copy(clean[i:], "   "[:size])
		}
		i += size
	}
	return clean
}
