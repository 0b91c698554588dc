package rules

import (
	"slices"
	"strings"
	"time"

	"wxgate/internal/accounts"
)

// MaxTimeout is the longest time that a rule can give its bot: an answer that is not ready while WeChat waits can be sent later.
const MaxTimeout = time.Minute

// Forward says to which bot a rule hands a message, and how long the bot may take.
type Forward struct {
	To       string        // a gRPC target, or handlerPrefix and the name of a handler
	Timeout  time.Duration // 0: the rule does not say
	Slow     accounts.Slow // what becomes of an answer that is not ready while WeChat waits; zero: as the account says
	Wait     time.Duration // how long WeChat waits for the answer, if it can come another way
	fallback *action       // if the bot fails; nil: the rule counts as not matched
}

// handlerPrefix precedes the name of a handler in a rules file.
const handlerPrefix = "handler:"

// Handler returns the name of the handler of this process that the rule forwards to; ok is false if it forwards to a gRPC target.
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
