package sender

import (
	"net/http"
	"time"
)

// Field is one value of a reply, named by its path: Content, Image.MediaId, Articles[0].Title.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Result is the judged answer to a callback.
type Result struct {
	Status  int           // of HTTP
	Took    time.Duration // until the whole answer was read
	Body    []byte        // as received, at most 1 MiB
	XML     []byte        // the reply, opened; nil for success, an empty answer, and one that cannot be opened
	Fields  []Field       // MsgType and the reply's values
	Refused []string      // why WeChat would show ServiceFailed to the user; empty: accepted

	// Hidden reports whether WeChat accepts the reply but does not show it: it answers an event such as VIEW.
	Hidden bool
	// Warnings list the parts of an accepted reply that the user does not see as intended: articles that WeChat drops, and why
	// a reply is Hidden.
	Warnings []string

	refused, warned []*Reason // those of Refused and Warnings
}

// RefusedInChinese returns Refused in Chinese.
func (r *Result) RefusedInChinese() []string { return chineseTexts(r.refused) }

// WarningsInChinese returns Warnings in Chinese.
func (r *Result) WarningsInChinese() []string { return chineseTexts(r.warned) }

// judgeAnswer judges the HTTP answer to a callback.
func judgeAnswer(account Account, o *Outgoing, status int, answer []byte, took time.Duration) *Result {
	j := &judge{account: &account, mode: o.mode, cipher: o.cipher, callback: o.Callback}
	if took > Patience {
		j.refuse("the answer took %.1f s; WeChat hangs up after 5 s", took.Seconds())
	}
	r := &Result{Status: status, Took: took, Body: answer[:min(len(answer), maxAnswer)]}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		j.refuse("the status is %d, not 200: check the token", status)
	case status != http.StatusOK:
		j.refuse("the status is %d, not 200", status)
	case len(answer) > maxAnswer:
		j.refuse("the answer is longer than 1 MiB")
	default:
		r.XML = j.judgeBody(answer)
	}
	if r.Hidden = j.isHidden(); r.Hidden {
		j.warn("accepted, but not shown: WeChat shows no answer to %s", Clip(o.Callback.Event, 40))
	}
	r.Fields, r.refused, r.warned = j.fields, j.refused, j.warned
	r.Refused, r.Warnings = englishTexts(r.refused), englishTexts(r.warned)
	return r
}
