package fakewechat

import "wxgate/fakewechat/sender"

// bilingual is a text in English and in Chinese: a locale is its index.
type bilingual [2]string

// sameInBoth returns a text that is the same in both languages, such as a path.
func sameInBoth(text string) bilingual { return bilingual{text, text} }

// inBoth returns a reason in both languages.
func inBoth(format string, args ...any) bilingual {
	why := sender.Because(format, args...)
	return bilingual{why.Error(), why.Chinese()}
}

// zipTexts returns texts with their translations.
func zipTexts(english, chinese []string) (texts []bilingual) {
	for i := range english {
		texts = append(texts, bilingual{english[i], chinese[i]})
	}
	return texts
}
