package wechat

import (
	"slices"
	"strings"
	"testing"

	v1 "wxgate/proto/wechat/v1"
)

// The table of what becomes of replies has each event that there is a kind for, once, as WeChat spells it.
func TestFindingsEveryEventSaysWhatBecomesOfAReply(t *testing.T) {
	names := v1.EventNames()
	seen := map[string]bool{}
	for _, name := range names {
		if lower := strings.ToLower(name); seen[lower] {
			t.Errorf("%s stands in the table twice", name)
		} else {
			seen[lower] = true
		}
		if eventKinds.findKind(name) == nil {
			t.Errorf("%s stands in the table of replies, and there is no kind for it", name)
		}
	}
	_, kinds := Kinds()
	for _, kind := range kinds {
		if !slices.Contains(names, kind.Name) {
			t.Errorf("%s is missing in the table of replies", kind.Name)
		}
	}
}

func TestFindingsEventReply(t *testing.T) {
	event := func(name string) *v1.Message {
		return &v1.Message{Content: &v1.Message_Event{Event: &v1.Event{Event: name}}}
	}
	for _, test := range []struct {
		message           *v1.Message
		want              v1.EventReply
		answerable, shown bool
	}{
		{&v1.Message{Content: &v1.Message_Text{Text: &v1.Text{}}}, v1.ReplyShown, true, true},
		{event("subscribe"), v1.ReplyShown, true, true},
		{event("click"), v1.ReplyShown, true, true},
		{event("user_get_card"), v1.ReplyUnsure, true, true},
		{event("an_event_of_tomorrow"), v1.ReplyUnsure, true, true},
		{event("LOCATION"), v1.ReplyFrequent, false, true},
		{event("View"), v1.ReplyHidden, false, false},
		{event("TEMPLATESENDJOBFINISH"), v1.ReplyHidden, false, false},
		{event("kf_close_session"), v1.ReplyHidden, false, false},
		{event("unsubscribe"), v1.ReplyInvalid, false, false},
	} {
		got := test.message.EventReply()
		if got != test.want || got.IsAnswerable() != test.answerable || got.IsShown() != test.shown {
			t.Errorf("%s: %v, answerable %t, shown %t", test.message.GetEvent().GetEvent(), got, got.IsAnswerable(), got.IsShown())
		}
	}
}
