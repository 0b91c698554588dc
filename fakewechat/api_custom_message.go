package fakewechat

import (
	"fmt"
	"slices"
	"time"

	"wxgate/fakewechat/sender"
)

// CustomMessage is a customer-service message that reached its user.
type CustomMessage struct {
	At      time.Time
	To      string         // openid
	Type    string         // msgtype: text, image …
	AppID   string         // of the account that sent it
	Account string         // kf_account; "": the account itself
	Fields  []sender.Field // its content: content, media_id, articles[0].title …; empty fields are left out
}

const (
	typingLasts = 15 * time.Second
	typingAfter = 30 * time.Second // how long after the last contact the account may start typing
)

// Sent returns the customer-service messages that a user got, account by account, the oldest first. Of each account, the last
// 1000 messages to all users are kept.
func (p *Platform) Sent(openid string) []CustomMessage {
	var sent []CustomMessage
	for _, acc := range p.allAccounts() {
		sent = append(sent, acc.sentTo(openid)...)
	}
	return sent
}

func (acc *account) sentTo(openid string) (sent []CustomMessage) {
	acc.api.mu.Lock()
	defer acc.api.mu.Unlock()
	for _, m := range acc.api.sent {
		if m.To == openid {
			m.Fields = slices.Clone(m.Fields)
			sent = append(sent, m)
		}
	}
	return sent
}

// customSend is /cgi-bin/message/custom/send.
func (acc *account) customSend(c *apiCall) callResult {
	if hasEscapes(c.raw) {
		return refusedResult(40033)
	}
	m, errcode := readCustom(c.body)
	if errcode != 0 {
		return refusedResult(errcode)
	}
	u := acc.api.users.get(m.To)
	if u == nil {
		return refusedResult(40003)
	}
	w, errcode := u.openWindow(c.now)
	if errcode != 0 {
		return refusedResult(errcode)
	}
	w.left--
	u.contact, u.typing = c.now, time.Time{}
	m.At, m.AppID = c.now, acc.settings.AppID
	if len(acc.api.sent) == maxSent {
		acc.api.sent = slices.Delete(acc.api.sent, 0, 1)
	}
	acc.api.sent = append(acc.api.sent, m)
	acc.platform.chat.addLine(chatLine{Account: acc.settings.AppID, User: m.To, At: m.At, From: fromAccount, Done: true, Fields: m.allFields()})
	if onSent := acc.platform.onSent; onSent != nil {
		copied := m
		copied.Fields = slices.Clone(m.Fields)
		onSent(copied)
	}
	return callResult{answer: okResult.answer, fields: m.allFields()}
}

// allFields returns the message's type and its Fields.
func (m *CustomMessage) allFields() []sender.Field {
	return append([]sender.Field{{Name: "msgtype", Value: m.Type}}, m.Fields...)
}

// customTyping is /cgi-bin/message/custom/typing.
func (acc *account) customTyping(c *apiCall) callResult {
	var to, command string
	if !c.body.readValue("touser", &to) || !c.body.readValue("command", &command) {
		return refusedResult(47001)
	}
	u := acc.api.users.get(to)
	switch {
	case u == nil:
		return refusedResult(40003)
	case command == "CancelTyping":
		u.typing = time.Time{}
		acc.platform.chat.setTyping(chatUserKey{acc.settings.AppID, to}, u.typing, c.now)
		return okResult
	case command != "Typing":
		return refusedResult(45072)
	}
	_, errcode := u.openWindow(c.now)
	switch {
	case errcode == 45015: // if no message is allowed, no typing sign is either
		return refusedResult(45015)
	case c.now.Sub(u.contact) > typingAfter:
		return refusedResult(45080)
	case c.now.Before(u.typing):
		return refusedResult(45081)
	}
	u.typing = c.now.Add(typingLasts)
	acc.platform.chat.setTyping(chatUserKey{acc.settings.AppID, to}, u.typing, c.now)
	return okResult
}

// messageSlot is a place in a customer-service message: a text, or a list if it has items.
type messageSlot struct {
	name    string
	missing int // errcode if it is empty; 0: it may be empty
	most    int // bytes of a text, items of a list; 0: any number
	tooMuch int // errcode if there are more
	items   []messageSlot
}

// customTypes has the msgtypes of an official account.
var customTypes = map[string][]messageSlot{
	"text":          {{name: "content", missing: 44004, most: sender.MaxText, tooMuch: 45002}},
	"image":         {mediaID},
	"voice":         {mediaID},
	"video":         {mediaID, {name: "thumb_media_id"}, {name: "title"}, {name: "description"}},
	"music":         {{name: "title"}, {name: "description"}, requiredSlot("musicurl"), requiredSlot("hqmusicurl"), thumbMediaID},
	"mpnews":        {mediaID},
	"mpnewsarticle": {requiredSlot("article_id")},
	"wxcard":        {requiredSlot("card_id")},
	"news": {{name: "articles", missing: 44003, most: 1, tooMuch: 45008, items: []messageSlot{
		{name: "title"}, {name: "description"}, {name: "url"}, {name: "picurl"},
	}}},
	"msgmenu": {
		{name: "head_content"},
		{name: "list", missing: 40035, items: []messageSlot{requiredSlot("id"), requiredSlot("content")}},
		{name: "tail_content"},
	},
	"miniprogrampage": {requiredSlot("title"), requiredSlot("appid"), requiredSlot("pagepath"), thumbMediaID},
}

var (
	mediaID      = messageSlot{name: "media_id", missing: 40007}
	thumbMediaID = messageSlot{name: "thumb_media_id", missing: 40007}
)

func requiredSlot(name string) messageSlot { return messageSlot{name: name, missing: 40035} }

// readCustom reads a customer-service message, or returns the errcode for its first error.
func readCustom(body jsonObject) (m CustomMessage, errcode int) {
	var service, content jsonObject
	if !body.readValue("touser", &m.To) || !body.readValue("msgtype", &m.Type) ||
		!body.readValue("customservice", &service) || !service.readValue("kf_account", &m.Account) {
		return m, 47001
	}
	slots, known := customTypes[m.Type]
	switch {
	case m.To == "":
		return m, 40003
	case !known:
		return m, 40008
	case !body.readValue(m.Type, &content):
		return m, 47001
	}
	m.Fields, errcode = content.readSlots(slots, "")
	return m, errcode
}

// readSlots reads the slots in their order. The names of the fields begin with at.
func (o jsonObject) readSlots(slots []messageSlot, at string) (fields []sender.Field, errcode int) {
	for _, s := range slots {
		var text string
		var list []jsonObject
		size := 0
		switch {
		case s.items == nil && o.readValue(s.name, &text):
			size = len(text)
		case s.items != nil && o.readValue(s.name, &list):
			size = len(list)
		default:
			return nil, 47001
		}
		switch {
		case size == 0 && s.missing != 0:
			return nil, s.missing
		case s.most > 0 && size > s.most:
			return nil, s.tooMuch
		case text != "":
			fields = append(fields, sender.Field{Name: at + s.name, Value: text})
		}
		for i, item := range list {
			more, errcode := item.readSlots(s.items, fmt.Sprintf("%s%s[%d].", at, s.name, i))
			if errcode != 0 {
				return nil, errcode
			}
			fields = append(fields, more...)
		}
	}
	return fields, 0
}
