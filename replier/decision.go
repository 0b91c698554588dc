package replier

import "wxgate/replier/rules"

// decision is what is said to one message: what the rules say, or an answer that was ready before.
type decision struct {
	rules.Decision
	fetched bool // no rule was asked: the user waited for the answer to an earlier message
}

// hasOnlyFailures reports whether rules matched and none could answer.
func (d decision) hasOnlyFailures() bool { return d.Rule == nil && len(d.Failed) > 0 }
