package test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wxgate/fakewechat"
)

// TestChaosJudge: what a run may not do is found.
func TestChaosJudge(t *testing.T) {
	success := func(m *message) { m.answered(&fakewechat.Result{}) }
	says := func(content string) func(*message) {
		return func(m *message) {
			m.answered(&fakewechat.Result{Fields: []fakewechat.Field{{Name: "MsgType", Value: "text"}, {Name: "Content", Value: content}}})
		}
	}
	reply := func(m *message) { says(echo(m.text))(m) }
	push := func(m *message) { m.pushed(echo(m.text)) }
	late := func(m *message) { m.unanswered() }
	double := func(m *message) { m.doubled() }
	refused := func(m *message) { m.answered(&fakewechat.Result{Refused: []string{"no XML"}}) }
	for _, c := range []struct {
		name  string
		came  []func(*message)
		state string // of its delivery
		want  report
	}{
		{"a reply", []func(*message){reply}, "", report{Passive: 1}},
		{"a reply to both of two", []func(*message){double, reply, success, reply}, "", report{Passive: 1}},
		{"a reply to one of two, and a push", []func(*message){double, success, reply, push}, "", report{Passive: 1, Pushed: 1, Twice: 1, TwiceDouble: 1}},
		{"success and a push", []func(*message){success, push}, "SENT", report{Pushed: 1}},
		{"the busy text", []func(*message){says(busyText)}, "", report{Busy: 1}},
		{"an exception", []func(*message){success}, "UNCERTAIN", report{Exceptions: 1, Unknown: 1}},
		{"an exception that arrived", []func(*message){success, push}, "UNCERTAIN", report{Exceptions: 1, Pushed: 1}},
		{"success alone", []func(*message){success}, "", report{Lost: 1}},
		{"given up", []func(*message){success}, "GIVEN_UP", report{Lost: 1}},
		{"no answer in time, and a push", []func(*message){late, push}, "", report{Pushed: 1, Late: 1}},
		{"no answer", []func(*message){late}, "", report{Lost: 1, Late: 1}},
		{"an answer that WeChat refuses", []func(*message){refused}, "", report{Lost: 1, Late: 1}},
		{"two pushes", []func(*message){success, push, push}, "", report{Pushed: 1, Twice: 1}},
		{"a reply and a push", []func(*message){reply, push}, "", report{Passive: 1, Pushed: 1, Twice: 1}},
		{"the busy text and a reply", []func(*message){says(busyText), reply}, "", report{Passive: 1, Busy: 1, Twice: 1}},
		{"another's reply", []func(*message){says("re: fast 0")}, "", report{Wrong: 1}},
		{"another's push", []func(*message){func(m *message) { m.pushed("re: fast 0") }}, "", report{Pushed: 1, Wrong: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, err := newMessage(7, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, come := range c.came {
				come(m)
			}
			unsent := map[string]delivery{"": {State: "EXPIRED"}} // of no message
			if c.state != "" {
				unsent[m.id] = delivery{State: c.state}
			}
			got := judge([]*message{m}, unsent)
			c.want.Sent, c.want.Ghosts = 1, 1
			ignored := cmpopts.IgnoreFields(report{}, "P50", "P99", "Max")
			if diff := cmp.Diff(c.want, *got, ignored, cmpopts.IgnoreUnexported(report{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			bad := c.want.Lost+c.want.Late+c.want.Twice+c.want.Wrong > 0
			got.Pushed, got.Ghosts = 1, 0
			if faults := got.faults(); bad != (len(faults) > 0) && got.Exceptions == 0 {
				t.Errorf("faults: %q", faults)
			}
		})
	}
}

// TestChaosFaults: a push must have been, exceptions are few, goroutines end.
func TestChaosFaults(t *testing.T) {
	good := report{Pushed: 1, Disasters: 1, Exceptions: 3, Processes: []bill{{"a", 1, vitals{20, 1}, vitals{60, 9}}}}
	if faults := good.faults(); len(faults) > 0 {
		t.Errorf("a good run has faults: %q", faults)
	}
	for name, bad := range map[string]report{
		"no push":    {},
		"exceptions": {Pushed: 1, Disasters: 1, Exceptions: 4},
		"strays":     {Pushed: 1, Strays: 1},
		"ghosts":     {Pushed: 1, Ghosts: 1},
		"goroutines": {Pushed: 1, Processes: []bill{{"a", 1, vitals{20, 1}, vitals{61, 1}}}},
	} {
		if faults := bad.faults(); len(faults) != 1 {
			t.Errorf("%s: faults: %q, want one", name, faults)
		}
	}
}

// TestChaosPushes: a customer-service message counts for the message that it answers, of that user.
func TestChaosPushes(t *testing.T) {
	l := newLoad(1)
	for i := range 2 {
		m, _, err := newMessage(i, 5)
		if err != nil {
			t.Fatal(err)
		}
		l.messages = append(l.messages, m)
	}
	first, second := l.messages[0], l.messages[1]
	sent := func(to, content string) {
		l.onSent(fakewechat.CustomMessage{To: to, Type: "text", Fields: []fakewechat.Field{{Name: "content", Value: content}}})
	}
	sent(second.openid, echo(second.text))
	sent(first.openid, echo(second.text)) // another user's
	sent(first.openid, "hello")
	sent(first.openid, echo("fast "+chaosMark+"-2")) // of nobody
	if got := []int{len(first.pushes), len(second.pushes), len(l.strays)}; !cmp.Equal(got, []int{0, 1, 3}) {
		t.Errorf("pushes of the first, of the second, strays: %v", got)
	}
	if open := l.open(); len(open) != 1 || open[0] != first {
		t.Errorf("without an answer: %v", open)
	}
}
