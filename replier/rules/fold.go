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

// What fold: true ignores: case, full and half width, composed and decomposed letters, characters that nobody sees, how many
// blanks there are in a row, and blanks at the ends of a whole text.

// foldWhole folds a whole text.
func foldWhole(s string) string { return strings.TrimSpace(foldPart(s)) }

// foldPart folds a part of a text, whose blanks at the ends count.
func foldPart(s string) string {
	return norm.NFC.String(cases.Fold().String(width.Fold.String(squeezeBlanks(s))))
}

// squeezeBlanks returns a text without characters that nobody sees, and with one blank for each row of blanks. Ends of lines stay.
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

// isInvisible reports whether a character has no width and no meaning: what is copied from articles has some of them, and
// keyboards put U+FE0F behind an emoji.
func isInvisible(r rune) bool {
	switch r {
	case '\u200b', '\u2060', '\ufeff', '\ufe0e', '\ufe0f':
		return true
	}
	return false
}

// foldPattern folds a regular expression: a folded text has nothing of what is not ASCII and folds to something else.
// What becomes ASCII, as the full-width "（", stays itself.
func foldPattern(source string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(source) {
		as := string(r)
		if r >= utf8.RuneSelf {
			if as = foldPart(as); len(as) == 1 {
				as = regexp.QuoteMeta(as)
			}
			if as == "-" { // means a range inside [ ]
				as = `\-`
			}
		}
		b.WriteString(as)
	}
	return norm.NFC.String(b.String()) // half-width kana and their marks
}
