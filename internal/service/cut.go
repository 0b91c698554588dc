package service

import (
	"log/slog"
	"unicode/utf8"
)

const (
	// MaxName is how many bytes of a name from outside, such as a MsgType, a log line shows: WeChat's own are shorter.
	MaxName = 64
	// maxLogged is how many bytes of any text that is not an error's a request's log line shows: strangers choose some.
	maxLogged = 256
)

// Cut returns text, or of a longer one what fits into so many bytes, up to the end of a character.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// Clip is Cut with a mark at the end of what was cut.
func Clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return Cut(text, most) + "…"
}

// clipAttrs clips the texts of a log line.
func clipAttrs(attrs []slog.Attr) []slog.Attr {
	for i, a := range attrs {
		if a.Value.Kind() == slog.KindString && len(a.Value.String()) > maxLogged {
			attrs[i].Value = slog.StringValue(Clip(a.Value.String(), maxLogged))
		}
	}
	return attrs
}
