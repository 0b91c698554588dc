package rules

import (
	"strings"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	"wxgate/internal/service"

	"go.yaml.in/yaml/v4"
)

// actions are the keys of what a rule does.
const actions = "reply, random, forward or silent"

// actionKeys reads what a rule does into a.
func (l *loader) actionKeys(a *action) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"reply":  func(n *yaml.Node) { a.replies = []maker{l.reply(n)} },
		"random": func(n *yaml.Node) { l.List(n, func(n *yaml.Node) { a.replies = append(a.replies, l.reply(n)) }) },
		"silent": func(n *yaml.Node) {
			if n.ShortTag() != "!!bool" || !l.truth(n) {
				l.Fail(n, "silent: expected true")
			}
		},
		"forward": func(n *yaml.Node) { a.Forward = l.forward(n) },
	}
}

// oneAction checks that a rule does exactly one thing.
func (l *loader) oneAction(n *yaml.Node) {
	found := 0
	for _, key := range []string{"reply", "random", "forward", "silent"} {
		if configfile.Find(n, key) != nil {
			found++
		}
	}
	if found != 1 && n.Kind == yaml.MappingNode {
		l.Fail(n, "expected one of %s, and no more", actions)
	}
}

// forward reads to which bot a message goes; a target alone is short for {to: target}.
func (l *loader) forward(n *yaml.Node) *Forward {
	f := &Forward{Wait: MaxTimeout}
	if configfile.IsScalar(n) {
		f.To = l.target(n)
		return f
	}
	l.Mapping(n, "to, timeout, slow, wait or fallback", map[string]func(*yaml.Node){
		"to":      func(n *yaml.Node) { f.To = l.target(n) },
		"timeout": func(n *yaml.Node) { f.Timeout = l.duration(n, "timeout", 1) },
		"slow":    func(n *yaml.Node) { f.Slow = accounts.ReadSlow(l.Document, n) },
		"wait":    func(n *yaml.Node) { f.Wait = l.duration(n, "wait", 0) },
		"fallback": func(n *yaml.Node) {
			f.fallback = &action{}
			if !configfile.IsScalar(n) || n.Value != "silent" {
				f.fallback.replies = []maker{l.reply(n)}
			}
		},
	})
	if n.Kind == yaml.MappingNode && configfile.Find(n, "to") == nil {
		l.Fail(n, "to: missing; expected a gRPC target such as dns:///bot:9001")
	}
	return f
}

// target reads a gRPC target, or a handler of this process.
func (l *loader) target(n *yaml.Node) string {
	to, ok := l.Scalar(n)
	if !ok {
		return ""
	}
	if name, inProcess := strings.CutPrefix(to, handlerPrefix); inProcess {
		switch {
		case l.handlers == nil:
			l.Warn(n, "the wxgate command has no handler %q: only a Go program that brings one starts with this file", name)
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

// duration reads a time of at least some nanoseconds.
func (l *loader) duration(n *yaml.Node, key string, least time.Duration) time.Duration {
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
