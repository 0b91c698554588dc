package rules

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// actions lists the keys of which a rule has one.
const actions = "reply, random, forward or silent"

// actionKeys returns a reader for each key of an action; the readers fill in a.
func (l *fileLoader) actionKeys(a *ruleAction) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"reply": func(n *yaml.Node) { a.replies = []replyFunc{l.readReply(n)} },
		"random": func(n *yaml.Node) {
			l.EachItem(n, func(n *yaml.Node) { a.replies = append(a.replies, l.readReply(n)) })
		},
		"silent":  func(n *yaml.Node) { l.readSilent(n) },
		"forward": func(n *yaml.Node) { a.Forward = l.readForward(n) },
	}
}

// readSilent reads the value of silent:, which must be true.
func (l *fileLoader) readSilent(n *yaml.Node) bool {
	silent := n.ShortTag() == "!!bool" && l.readBool(n)
	if !silent {
		l.Fail(n, "silent: expected true")
	}
	return silent
}

// checkOneAction checks that a rule has exactly one action.
func (l *fileLoader) checkOneAction(n *yaml.Node) {
	found := 0
	for _, key := range []string{"reply", "random", "forward", "silent"} {
		if configfile.FindKey(n, key) != nil {
			found++
		}
	}
	if found != 1 && n.Kind == yaml.MappingNode {
		l.Fail(n, "expected exactly one of %s", actions)
	}
}

// readForward reads which bot gets the messages. A target alone is short for {to: target}.
func (l *fileLoader) readForward(n *yaml.Node) *Forward {
	f := &Forward{Wait: MaxTimeout}
	if configfile.IsScalar(n) {
		f.To = l.readTarget(n)
		return f
	}
	l.Mapping(n, "to, timeout, slow, wait or fallback", map[string]func(*yaml.Node){
		"to":      func(n *yaml.Node) { f.To = l.readTarget(n) },
		"timeout": func(n *yaml.Node) { f.Timeout = l.readDuration(n, "timeout", 1) },
		"slow":    func(n *yaml.Node) { f.Slow = accounts.ReadSlow(l.Document, n) },
		"wait":    func(n *yaml.Node) { f.Wait = l.readDuration(n, "wait", 0) },
		"fallback": func(n *yaml.Node) {
			f.fallback = &ruleAction{}
			if !configfile.IsScalar(n) || n.Value != "silent" {
				f.fallback.replies = []replyFunc{l.readReply(n)}
			}
		},
	})
	if n.Kind == yaml.MappingNode && configfile.FindKey(n, "to") == nil {
		l.Fail(n, "to: missing; expected a gRPC target such as dns:///bot:9001")
	}
	return f
}

// readTarget reads a gRPC target or the name of a handler.
func (l *fileLoader) readTarget(n *yaml.Node) string {
	to, ok := l.Scalar(n)
	if !ok {
		return ""
	}
	if name, inProcess := strings.CutPrefix(to, handlerPrefix); inProcess {
		switch {
		case l.handlers == nil:
			l.Warn(n, "the wxgate command has no handler %q: only a Go program with this handler can start with this file", name)
		case !l.handlers[name]:
			l.Fail(n, "this program has no handler %q", name)
		}
		return to
	}
	if err := service.CheckTarget(to); err != nil {
		l.Fail(n, "%v", err)
	}
	return to
}

// readDuration reads a duration from least to MaxTimeout.
func (l *fileLoader) readDuration(n *yaml.Node, key string, least time.Duration) time.Duration {
	text, ok := l.Scalar(n)
	if !ok {
		return least
	}
	d, err := time.ParseDuration(text)
	switch {
	case err == nil && d >= least && d <= MaxTimeout:
	case least > 0:
		l.Fail(n, "%s: %q; expected more than 0s and at most %s, such as 2s or 500ms", key, text, MaxTimeout)
	default:
		l.Fail(n, "%s: %q; expected at most %s, such as 2s or 0s", key, text, MaxTimeout)
	}
	return d
}
