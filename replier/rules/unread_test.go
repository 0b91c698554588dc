package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsUnreadRepliesAreWarnings: a rule that names an event whose reply nobody reads, and replies, gets a warning.
func TestFindingsUnreadRepliesAreWarnings(t *testing.T) {
	rules, err := Parse("f.yaml", []byte(`rules:
  - {name: bye, match: {event: unsubscribe}, reply: {text: Come back!}}
  - name: menu
    match:
      event:
        - click
        - view
    random: [{text: a}, {text: b}]
  - {name: where, match: {event: LOCATION}, forward: {to: "dns:///bot:9001", fallback: {text: sorry}}}
  - {name: quiet, match: {event: kf_close_session}, silent: true}
  - {name: told, match: {event: kf_create_session}, forward: "dns:///bot:9001"}
  - {name: told silently, match: {event: view_miniprogram}, forward: {to: "dns:///bot:9001", fallback: silent}}
  - {name: card, match: {event: user_get_card}, reply: {text: a card}}
expect:
  - {message: {event: {event: unsubscribe}}, rule: bye, silent: true}
  - {message: {event: {event: masssendjobfinish}}, silent: true}
default: {reply: {text: the default}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range rules.Warnings() {
		got = append(got, w.String())
	}
	const then = "; expected silent: true, or a forward to a bot that only records the event"
	want := []string{
		`f.yaml:2:32: rule "bye": the user has unfollowed the account when unsubscribe is sent, and gets no reply` + then,
		`f.yaml:7:11: rule "menu": WeChat does not show a reply to view` + then,
		`f.yaml:9:34: rule "where": WeChat sends LOCATION every few seconds while the user is in the chat, and shows the reply each time` + then,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if unmet := rules.Check(t.Context()); len(unmet) > 0 {
		t.Error(unmet)
	}
}
