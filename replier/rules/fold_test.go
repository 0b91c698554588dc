package rules

import "testing"

// TestFindingsFold: texts that look alike, but differ in characters that users cannot see or tell apart, are equal when folded.
func TestFindingsFold(t *testing.T) {
	for _, tt := range []struct{ name, one, other string }{
		{"zero width", "价\u200b格\ufeff", "价格"},
		{"behind an emoji", "❤\ufe0f", "❤"},
		{"decomposed", "cafe\u0301", "CAF\u00c9"},
		{"half-width kana with a mark", "ｶﾞｷﾞﾊﾟ", "ガギパ"},
		{"two blanks", "how  much", "how much"},
		{"full-width blanks", "how\u3000\u3000much", "how much"},
		{"a mark between blanks", "how \u200b much", "how much"},
		{"blanks at the ends", "\u3000 how much\ufeff ", "how much"},
	} {
		if one, other := foldWhole(tt.one), foldWhole(tt.other); one != other {
			t.Errorf("%s: %q is %q, and %q is %q", tt.name, tt.one, one, tt.other, other)
		}
		rules := parseRules(t, "fold: true\nrules:\n  - {name: a, match: {text: \""+tt.one+"\"}, silent: true}\n")
		if d := rules.Decide(t.Context(), text(tt.other), noBot); d.Rule == nil {
			t.Errorf("%s: %q does not match %q", tt.name, tt.one, tt.other)
		}
	}
	for _, pattern := range []string{"^cafe\u0301$", "^CAFÉ$", "^ｶﾞ$", "^how much$"} {
		rules := parseRules(t, "fold: true\nrules:\n  - {name: a, match: {text: {matches: '"+pattern+"'}}, silent: true}\n")
		found := false
		for _, sent := range []string{"Cafe\u0301", "ガ", "How  \u3000much"} {
			found = found || rules.Decide(t.Context(), text(sent), noBot).Rule != nil
		}
		if !found {
			t.Errorf("%s matches nothing", pattern)
		}
	}
	if foldWhole("one\ntwo") == foldWhole("one two") {
		t.Error("the end of a line is a blank")
	}
}

// FuzzFold: folding a folded text does not change it.
func FuzzFold(f *testing.F) {
	f.Add("Ｐrice ？ e\u0301 ｶﾞ\u200b  ❤\ufe0f")
	f.Fuzz(func(t *testing.T, s string) {
		once := foldWhole(s)
		if again := foldWhole(once); again != once {
			t.Errorf("%q: %q, then %q", s, once, again)
		}
	})
}
