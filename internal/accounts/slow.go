package accounts

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"wxgate/internal/configfile"
)

// How is what becomes of an answer that is not ready while WeChat waits.
type How string

// The ways.
const (
	Push  How = "push"  // the message is stored, WeChat gets success, and the answer follows as a customer-service message
	Hold  How = "hold"  // WeChat gets no answer and sends the message again: the second or third attempt gets it
	Later How = "later" // the user reads a text, and the next message fetches the answer
	Drop  How = "drop"  // WeChat gets success, and nothing follows
)

// Slow says what becomes of an answer that is not ready while WeChat waits. The zero Slow leaves it to who reads it.
type Slow struct {
	How  How
	Text string // what the user reads meanwhile; "": nothing, or with Later a text of ours
}

// LaterText is what a user reads whose next message gets the answer, if nothing else is said.
const LaterText = "正在处理，请稍后发送任意消息获取回复。"

const howExpected = "expected push, hold, later or drop"

// Validate returns what is wrong with the way.
func (s Slow) Validate() error {
	switch s.How {
	case "", Push, Hold, Later, Drop:
		return nil
	}
	return fmt.Errorf("%q; %s", s.How, howExpected)
}

// ReadSlow reads a way: "push", or with a text for the user "{push: TEXT}". A text that is too long for WeChat is a problem.
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
				d.Fail(n, "slow: a second way; expected one")
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
		d.Fail(n, "slow: says nothing; %s, or {push: TEXT} or {later: TEXT}", howExpected)
	}
	d.Mapping(n, "push or later, and a text", map[string]func(*yaml.Node){"push": text(Push), "later": text(Later)})
	return s
}

// maxText is how long a passive text may be, in bytes (platform.md D).
const maxText = 2048
