package service

import (
	"log/slog"
	"unicode/utf8"
)

const (
	// MaxName is how many bytes of a name from outside, such as a MsgType, a log line shows. WeChat's own names are shorter.
	MaxName = 64
	// maxLogged is how many bytes of a text attribute a request's log line shows: strangers choose some texts.
	maxLogged = 256
)

// CutText returns text, cut to at most so many bytes at the end of a character.
func CutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// ClipText is CutText with a mark at the end if something was cut.
func ClipText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return CutText(text, most) + "…"
}

// clipAttrs clips the texts among the attributes of a log line.
func clipAttrs(attrs []slog.Attr) []slog.Attr {
	for i, a := range attrs {
		if a.Value.Kind() == slog.KindString && len(a.Value.String()) > maxLogged {
			attrs[i].Value = slog.StringValue(ClipText(a.Value.String(), maxLogged))
		}
	}
	return attrs
}
