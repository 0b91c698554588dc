package rules

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// fold: true ignores case, full and half width, composed and decomposed letters, invisible characters, the number of spaces in
// a row, and spaces at the ends of a whole text.

// foldWhole folds a whole text.
func foldWhole(s string) string { return strings.TrimSpace(foldPart(s)) }

// foldPart folds a part of a text and keeps spaces at its ends.
func foldPart(s string) string {
	return norm.NFC.String(cases.Fold().String(width.Fold.String(squeezeBlanks(s))))
}

// squeezeBlanks removes invisible characters, and replaces each row of spaces by a single one. It keeps line breaks.
func squeezeBlanks(s string) string {
	afterBlank := false
	return strings.Map(func(r rune) rune {
		switch {
		case isInvisible(r):
			return -1
		case r == '\n' || r == '\r' || !unicode.IsSpace(r):
			afterBlank = false
			return r
		case afterBlank:
			return -1
		}
		afterBlank = true
		return ' '
	}, s)
}

// isInvisible reports whether a character has no width and no meaning. Texts copied from articles contain some, and keyboards
// add U+FE0F after an emoji.
func isInvisible(r rune) bool {
	switch r {
	case '\u200b', '\u2060', '\ufeff', '\ufe0e', '\ufe0f':
		return true
	}
	return false
}

// foldPattern folds the characters of a regular expression that are not ASCII, so that it can match a folded text. A character
// that becomes ASCII, such as the full-width "（", is quoted: it stands for itself.
func foldPattern(source string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(source) {
		as := string(r)
		if r >= utf8.RuneSelf {
			if as = foldPart(as); len(as) == 1 {
				as = regexp.QuoteMeta(as)
			}
			if as == "-" { // inside [ ] it would mean a range
				as = `\-`
			}
		}
		b.WriteString(as)
	}
	return norm.NFC.String(b.String()) // composes half-width kana with their marks
}
