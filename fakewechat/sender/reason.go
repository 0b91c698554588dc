package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Reason says why WeChat would reject an answer, or why it has none. It keeps its format and arguments, so that the chat page
// can show it in Chinese too. It unwraps to an error among the arguments.
type Reason struct {
	format string
	args   []any
	text   string // English
}

// Because returns the reason with an English format and its arguments. The format must have a translation.
func Because(format string, args ...any) *Reason {
	return &Reason{format, args, fmt.Sprintf(format, args...)}
}

// Error implements error.
func (r *Reason) Error() string { return r.text }

// Unwrap returns the error among the arguments, or nil.
func (r *Reason) Unwrap() error {
	for _, argument := range r.args {
		if err, ok := argument.(error); ok {
			return err
		}
	}
	return nil
}

// Chinese returns the reason in Chinese. Parts without a translation, such as another library's error, stay as they are.
func (r *Reason) Chinese() string {
	args := make([]any, len(r.args))
	for i, argument := range r.args {
		switch a := argument.(type) {
		case error:
			args[i] = InChinese(a)
		case string:
			args[i] = cmp.Or(translations[a], a)
		default:
			args[i] = a
		}
	}
	return fmt.Sprintf(cmp.Or(translations[r.format], r.format), args...)
}

// InChinese returns an error's text in Chinese: that of the Reason in it, if there is one.
func InChinese(err error) string {
	if r, ok := errors.AsType[*Reason](err); ok {
		return r.Chinese()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "超时"
	}
	return cmp.Or(translations[err.Error()], err.Error())
}

// englishTexts returns the reasons in English.
func englishTexts(reasons []*Reason) []string {
	var texts []string
	for _, r := range reasons {
		texts = append(texts, r.text)
	}
	return texts
}

// chineseTexts returns the reasons in Chinese.
func chineseTexts(reasons []*Reason) []string {
	var texts []string
	for _, r := range reasons {
		texts = append(texts, r.Chinese())
	}
	return texts
}
