package accounts

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
)

// How is how an answer reaches its user that is not ready while WeChat waits.
type How string

// The policies.
const (
	Push  How = "push"  // the message is stored, WeChat gets success, and the answer follows as a customer-service message
	Hold  How = "hold"  // WeChat gets no answer and sends the message again: the second or third attempt gets it
	Later How = "later" // the user reads a text, and the next message fetches the answer
	Drop  How = "drop"  // WeChat gets success, and nothing follows
)

// Slow is the policy for answers that are not ready while WeChat waits. The zero Slow means that none was chosen.
type Slow struct {
	How  How
	Text string // for the user, meanwhile; "": none, or LaterText with Later
}

// LaterText is the default text of Later, for the user whose next message gets the answer.
const LaterText = "正在处理，请稍后发送任意消息获取回复。"

const howExpected = "expected push, hold, later or drop"

// Validate returns an error if the policy does not exist.
func (s Slow) Validate() error {
	switch s.How {
	case "", Push, Hold, Later, Drop:
		return nil
	}
	return fmt.Errorf("%q; %s", s.How, howExpected)
}

// ReadSlow reads a policy: "push", or with a text for the user "{push: TEXT}". It reports a text that is too long for WeChat.
func ReadSlow(d *configfile.Document, n *yaml.Node) (s Slow) {
	if configfile.IsScalar(n) {
		how, _ := d.Scalar(n)
		s.How = How(how)
		if err := s.Validate(); err != nil || how == "" {
			d.Fail(n, "slow: %q; %s", how, howExpected)
		}
		return s
	}
	text := func(how How) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if s.How != "" {
				d.Fail(n, "slow: a second policy; expected one")
			}
			s.How = how
			s.Text, _ = d.Scalar(n)
			d.WarnBackslash(n, 0, s.Text)
			if len(s.Text) > maxText {
				d.Fail(n, "slow: the text has %d bytes; WeChat shows %d", len(s.Text), maxText)
			}
		}
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		d.Fail(n, "slow: empty; %s, or {push: TEXT} or {later: TEXT}", howExpected)
	}
	d.Mapping(n, "push or later, and a text", map[string]func(*yaml.Node){"push": text(Push), "later": text(Later)})
	return s
}

// maxText is how long a text in WeChat's passive reply may be, in bytes (platform.md D).
const maxText = 2048
