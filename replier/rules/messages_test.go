package rules

import (
	"context"
	"errors"
	wechatv1 "wxgate/proto/wechat/v1"
)

// message returns a message of a MsgType, as a gateway passes it on.
func message(msgType string) *wechatv1.Message {
	return &wechatv1.Message{
		Account: "shop", ToUserName: "gh_0123456789ab", FromUserName: "oABCDEF1234567890abcdefghijk", CreateTime: 1460537339,
		MsgType: msgType, MsgId: 3272960105994287638,
	}
}

func text(content string) *wechatv1.Message {
	m := message("text")
	m.Content = &wechatv1.Message_Text{Text: &wechatv1.Text{Content: content}}
	return m
}

func image() *wechatv1.Message {
	m := message("image")
	m.Content = &wechatv1.Message_Image{Image: &wechatv1.Image{PicUrl: "https://example.com/p.jpg", MediaId: "image-7"}}
	return m
}

func location(x, y, label string) *wechatv1.Message {
	m := message("location")
	m.Content = &wechatv1.Message_Location{Location: &wechatv1.Location{LocationX: x, LocationY: y, Scale: "15", Label: label}}
	return m
}

// event returns an event without a type of its own in the contract.
func event(name, key string) *wechatv1.Message {
	m := message("event")
	m.MsgId = 0
	m.Content = &wechatv1.Message_Event{Event: &wechatv1.Event{
		Event: name, EventKey: key, Kind: &wechatv1.Event_Unknown{Unknown: &wechatv1.UnknownEvent{}},
	}}
	return m
}

func says(content string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: content}}}
}

// noBot is a bot that is unreachable.
func noBot(context.Context, *Rule, *wechatv1.Message) (*wechatv1.Reply, error) {
	return nil, errors.New("unreachable")
}
