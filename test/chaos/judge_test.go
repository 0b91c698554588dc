package chaos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
)

// TestChaosJudge: what a run may not do is found.
func TestChaosJudge(t *testing.T) {
	success := func(m *message) { m.answered(&sender.Result{}) }
	says := func(content string) func(*message) {
		return func(m *message) {
			m.answered(&sender.Result{Fields: []sender.Field{{Name: "MsgType", Value: "text"}, {Name: "Content", Value: content}}})
		}
	}
	reply := func(m *message) { says(echo(m.text))(m) }
	push := func(m *message) { m.pushed(echo(m.text)) }
	late := func(m *message) { m.unanswered() }
	double := func(m *message) { m.doubled() }
	refused := func(m *message) { m.answered(&sender.Result{Refused: []string{"no XML"}}) }
	tooLarge := botWork{seconds: 5, kilobytes: 1000}
	for _, c := range []struct {
		name  string
		came  []func(*message)
		state string // of its delivery
		want  report
		work  botWork
	}{
		{"a reply", []func(*message){reply}, "", report{Passive: 1}, botWork{}},
		{"a reply to both of two", []func(*message){double, reply, success, reply}, "", report{Passive: 1}, botWork{}},
		{"a reply to one of two, and a push", []func(*message){double, success, reply, push}, "", report{Passive: 1, Pushed: 1, Twice: 1, TwiceDouble: 1}, botWork{}},
		{"success and a push", []func(*message){success, push}, "SENT", report{Pushed: 1}, botWork{}},
		{"the busy text", []func(*message){says(busyText)}, "", report{Busy: 1}, botWork{}},
		{"an exception", []func(*message){success}, "UNCERTAIN", report{Exceptions: 1, Unknown: 1}, botWork{}},
		{"an exception that arrived", []func(*message){success, push}, "UNCERTAIN", report{Exceptions: 1, Pushed: 1}, botWork{}},
		{"success alone", []func(*message){success}, "", report{Lost: 1}, botWork{}},
		{"given up", []func(*message){success}, "GIVEN_UP", report{Lost: 1}, botWork{}},
		{"no answer in time, and a push", []func(*message){late, push}, "", report{Pushed: 1, Late: 1}, botWork{}},
		{"no answer", []func(*message){late}, "", report{Lost: 1, Late: 1}, botWork{}},
		{"an answer that WeChat refuses", []func(*message){refused}, "", report{Lost: 1, Late: 1}, botWork{}},
		{"two pushes", []func(*message){success, push, push}, "", report{Pushed: 1, Twice: 1}, botWork{}},
		{"a reply and a push", []func(*message){reply, push}, "", report{Passive: 1, Pushed: 1, Twice: 1}, botWork{}},
		{"the busy text and a reply", []func(*message){says(busyText), reply}, "", report{Passive: 1, Busy: 1, Twice: 1}, botWork{}},
		{"another's reply", []func(*message){says("re: fast 0")}, "", report{Wrong: 1}, botWork{}},
		{"another's push", []func(*message){func(m *message) { m.pushed("re: fast 0") }}, "", report{Pushed: 1, Wrong: 1}, botWork{}},
		{"too large an answer, and the busy text", []func(*message){success, func(m *message) { m.pushed(busyText) }}, "GIVEN_UP", report{Pushed: 1}, tooLarge},
		{"the busy text twice", []func(*message){says(busyText), func(m *message) { m.pushed(busyText) }}, "GIVEN_UP", report{Busy: 1, Pushed: 1, Twice: 1}, tooLarge},
		{"too large an answer, and nothing", []func(*message){success}, "GIVEN_UP", report{Lost: 1}, tooLarge},
		{"the busy text pushed in place of an answer", []func(*message){success, func(m *message) { m.pushed(busyText) }}, "", report{Pushed: 1, Wrong: 1}, botWork{seconds: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, err := newMessage(7, c.work)
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
			c.want.Sent, c.want.Ghosts, c.want.Large = 1, 1, min(1, c.work.kilobytes)
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
		m, _, err := newMessage(i, botWork{seconds: 5})
		if err != nil {
			t.Fatal(err)
		}
		l.messages = append(l.messages, m)
	}
	first, second := l.messages[0], l.messages[1]
	sent := func(to, content string) {
		l.onSent(fakewechat.CustomMessage{To: to, Type: "text", Fields: []sender.Field{{Name: "content", Value: content}}})
	}
	sent(second.openid, echo(second.text))
	sent(first.openid, echo(second.text)) // another user's
	sent(first.openid, "hello")
	sent(first.openid, busyText) // its bot gives an answer
	large, _, err := newMessage(len(l.messages), botWork{seconds: 5, kilobytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	l.messages = append(l.messages, large)
	sent(large.openid, busyText)
	sent(large.openid, busyText)                     // once more
	sent(first.openid, echo("fast "+chaosMark+"-2")) // of nobody
	if got := []int{len(first.pushes), len(second.pushes), len(large.pushes), len(l.strays)}; !cmp.Equal(got, []int{0, 1, 1, 5}) {
		t.Errorf("pushes of the first, of the second, of the large one, strays: %v", got)
	}
	if open := l.open(); len(open) != 1 || open[0] != first {
		t.Errorf("without an answer: %v", open)
	}
}
