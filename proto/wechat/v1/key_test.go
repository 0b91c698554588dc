package wechatv1

import "testing"

// TestKey: what WeChat's attempts have in common is the key; what differs in one part of it is another message.
func TestKey(t *testing.T) {
	base := func() *Message {
		return &Message{Account: "a", ToUserName: "t", FromUserName: "f", CreateTime: 1, MsgType: "text", MsgId: 7}
	}
	event := func(name, key string) *Message {
		m := base()
		m.MsgType, m.MsgId = "event", 0
		m.Content = &Message_Event{Event: &Event{Event: name, EventKey: key}}
		return m
	}
	job := func(id int64) *Message {
		m := event("TEMPLATESENDJOBFINISH", "")
		m.GetEvent().Kind = &Event_TemplateSendJobFinish{TemplateSendJobFinish: &TemplateSendJobFinishEvent{MsgId: &id}}
		return m
	}
	change := func(f func(*Message)) *Message { m := base(); f(m); return m }
	same := []*Message{base(), change(func(m *Message) { m.CreateTime = 2 }), change(func(m *Message) { m.MsgType = "image" })}
	for i, m := range same {
		if key, ok := m.Key(); !ok || key != (Key{Account: "a", To: "t", From: "f", MsgID: 7}) {
			t.Errorf("%d: %+v, %t", i, key, ok)
		}
	}
	others := []*Message{
		base(),
		change(func(m *Message) { m.Account = "b" }), change(func(m *Message) { m.ToUserName = "u" }),
		change(func(m *Message) { m.FromUserName = "g" }), change(func(m *Message) { m.MsgId = 8 }),
		event("CLICK", "k"), event("CLICK", "l"), event("VIEW", "k"), job(1), job(2), job(7),
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
	for name, m := range map[string]*Message{
		"nothing": {}, "no id": change(func(m *Message) { m.MsgId = 0 }), "no time": change(func(m *Message) {
			m.MsgId, m.CreateTime, m.Content = 0, 0, &Message_Event{Event: &Event{Event: "CLICK"}}
		}),
	} {
		if _, ok := m.Key(); ok {
			t.Errorf("%s: WeChat sent no such message", name)
		}
	}
}
