package wechatv1

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// userText returns a user's message, changed by change; nil: as it is.
func userText(change func(*Message)) *Message {
	m := &Message{Account: "a", ToUserName: "t", FromUserName: "f", CreateTime: 1, MsgType: "text", MsgId: 7,
		Content: &Message_Text{Text: &Text{Content: "hello"}}}
	if change != nil {
		change(m)
	}
	return m
}

// userEvent returns an event, which has no MsgId.
func userEvent(e *Event, extra ...*Element) *Message {
	return userText(func(m *Message) {
		m.MsgType, m.MsgId, m.Content, m.Extra = "event", 0, &Message_Event{Event: e}, extra
	})
}

// TestKeyOfAttempts: what WeChat's attempts have in common is the key.
func TestKeyOfAttempts(t *testing.T) {
	for i, m := range []*Message{
		userText(nil), userText(func(m *Message) { m.CreateTime = 2 }), userText(func(m *Message) { m.MsgType = "image" }),
	} {
		if key, ok := m.Key(); !ok || key != (Key{Account: "a", To: "t", From: "f", MsgID: 7}) {
			t.Errorf("%d: %+v, %t", i, key, ok)
		}
	}
	click := userEvent(&Event{Event: "CLICK", EventKey: "k"})
	want, ok := click.Key()
	stamped := proto.CloneOf(click)
	stamped.ContentHash = click.HashContent()
	for i, m := range []*Message{proto.CloneOf(click), stamped} {
		if key, also := m.Key(); !ok || !also || key != want {
			t.Errorf("event %d: %+v, %t; want %+v", i, key, also, want)
		}
	}
}

// TestFindingsTwoEventsAreNeverOne: messages that differ in anything but what an attempt changes have two keys.
func TestFindingsTwoEventsAreNeverOne(t *testing.T) {
	card := func(code string) *Message {
		return userEvent(&Event{Event: "user_get_card", Kind: &Event_UserGetCard{UserGetCard: &UserGetCardEvent{CardId: "p", UserCardCode: code}}})
	}
	job := func(id int64, status string) *Message {
		return userEvent(&Event{Event: "TEMPLATESENDJOBFINISH", Kind: &Event_TemplateSendJobFinish{
			TemplateSendJobFinish: &TemplateSendJobFinishEvent{MsgId: &id, Status: status}}})
	}
	changed := func(user string) *Message {
		return userEvent(&Event{Event: "user_info_modified", Kind: &Event_UserInfoModified{UserInfoModified: &AuthorizationEvent{Openid: user}}})
	}
	unnumbered := func(id string) *Message {
		return userText(func(m *Message) { m.MsgId, m.Extra = 0, []*Element{{Name: "MsgId", Text: id}} })
	}
	others := []*Message{
		userText(nil), userText(func(m *Message) { m.Account = "b" }), userText(func(m *Message) { m.ToUserName = "u" }),
		userText(func(m *Message) { m.FromUserName = "g" }), userText(func(m *Message) { m.MsgId = 8 }),
		userEvent(&Event{Event: "CLICK", EventKey: "k"}), userEvent(&Event{Event: "CLICK", EventKey: "l"}),
		userEvent(&Event{Event: "VIEW", EventKey: "k"}), userEvent(&Event{Event: "new"}), userEvent(&Event{Event: "new"}, &Element{Name: "X"}),
		userEvent(&Event{Event: "new"}, &Element{Name: "X", Text: "1"}), userEvent(&Event{Event: "new"}, &Element{Name: "X", Text: "2"}),
		job(1, "success"), job(2, "success"), job(1, "failed:user block"), card("100000000001"), card("100000000002"),
		changed("oA"), changed("oB"), unnumbered("a1"), unnumbered("a2"),
	}
	for _, id := range []int64{7, 8} { // an event's MsgId would be the number of something else
		m := card("100000000003")
		m.MsgId = id
		others = append(others, m)
	}
	keys, ids := map[Key]int{}, map[string]int{}
	for i, m := range others {
		key, ok := m.Key()
		if !ok {
			t.Errorf("%d has no key", i)
		}
		if j, twice := keys[key]; twice {
			t.Errorf("%d and %d have one key", i, j)
		}
		if id := key.ID(); len(id) != 32 || ids[id] > 0 {
			t.Errorf("%d: id %q", i, id)
		}
		keys[key] = i
		ids[key.ID()]++
	}
}

// TestFindingsUnnumberedMessagesHaveAKey: a MsgId that is not a number, and a message without one, are known again.
func TestFindingsUnnumberedMessagesHaveAKey(t *testing.T) {
	for name, m := range map[string]*Message{
		"a MsgId that is not a number": userText(func(m *Message) {
			m.MsgId, m.CreateTime, m.Extra = 0, 0, []*Element{{Name: "MsgId", Text: "a1"}}
		}),
		"no MsgId":       userText(func(m *Message) { m.MsgId = 0 }),
		"an unknown one": {Account: "a", CreateTime: 1, Content: &Message_Unknown{Unknown: &Unknown{}}},
	} {
		key, ok := m.Key()
		if again, also := proto.CloneOf(m).Key(); !ok || !also || key != again || key.Content == "" {
			t.Errorf("%s: %+v, %t; again %+v, %t", name, key, ok, again, also)
		}
	}
}

// TestNoKey: what WeChat did not send has none.
func TestNoKey(t *testing.T) {
	for name, m := range map[string]*Message{
		"nothing": {}, "no id, no time": userText(func(m *Message) { m.MsgId, m.CreateTime = 0, 0 }),
		"an event without a time": userText(func(m *Message) {
			m.MsgId, m.CreateTime, m.Content = 0, 0, &Message_Event{Event: &Event{Event: "CLICK"}}
		}),
	} {
		if key, ok := m.Key(); ok {
			t.Errorf("%s: %+v; WeChat sent no such message", name, key)
		}
	}
}
