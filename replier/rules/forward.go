package rules

import (
	"slices"
	"strings"
	"time"

	"wxgate/internal/accounts"
)

// MaxTimeout is the longest time that a rule can give its bot: an answer that is not ready while WeChat waits can be sent later.
const MaxTimeout = time.Minute

// Forward says which bot gets the messages of a rule, and how long the bot may take.
type Forward struct {
	To       string        // a gRPC target, or handlerPrefix and the name of a handler
	Timeout  time.Duration // how long the bot may take; 0: the rule does not say
	Slow     accounts.Slow // how an answer that is not ready in time reaches the user; zero: the account decides
	Wait     time.Duration // how long the reply to WeChat waits for the answer, if the answer can be sent later
	fallback *ruleAction   // used if the bot fails; nil: the rule then counts as not matched
}

// handlerPrefix stands before the name of a handler in a rules file.
const handlerPrefix = "handler:"

// Handler returns the name of the handler in this process that gets the messages; ok is false if a gRPC target gets them.
func (f *Forward) Handler() (name string, ok bool) { return strings.CutPrefix(f.To, handlerPrefix) }

// Targets returns the gRPC targets that the rules forward to, each once.
func (r *Rules) Targets() []string {
	var targets []string
	for i := range r.list {
		if f := r.list[i].Forward; f != nil && !strings.HasPrefix(f.To, handlerPrefix) {
			targets = append(targets, f.To)
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}
