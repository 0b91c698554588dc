package fakewechat

import (
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
	Fields  []sender.Field // what it says: content, media_id, articles[0].title …, no empty ones
}

const (
	typingLasts = 15 * time.Second
	typingAfter = 30 * time.Second // how long after the last contact the account may begin to type
)

// Sent returns the customer-service messages that the user got, account by account, the oldest first. Of all users of an
// account together the last 1000 are kept.
func (p *Platform) Sent(openid string) []CustomMessage {
	var sent []CustomMessage
	for _, o := range p.all() {
		sent = append(sent, o.sentTo(openid)...)
	}
	return sent
}

func (o *official) sentTo(openid string) (sent []CustomMessage) {
	o.api.mu.Lock()
	defer o.api.mu.Unlock()
	for _, m := range o.api.sent {
		if m.To == openid {
			m.Fields = slices.Clone(m.Fields)
			sent = append(sent, m)
		}
	}
	return sent
}

// customSend is /cgi-bin/message/custom/send.
func (o *official) customSend(c *apiCall) result {
	if escaped(c.raw) {
		return refused(40033)
	}
	m, errcode := readCustom(c.body)
	if errcode != 0 {
		return refused(errcode)
	}
	u := o.api.users.get(m.To)
	if u == nil {
		return refused(40003)
	}
	w, errcode := u.window(c.now)
	if errcode != 0 {
		return refused(errcode)
	}
	w.left--
	u.contact, u.typing = c.now, time.Time{}
	m.At, m.AppID = c.now, o.account.AppID
	if len(o.api.sent) == maxSent {
		o.api.sent = slices.Delete(o.api.sent, 0, 1)
	}
	o.api.sent = append(o.api.sent, m)
	o.platform.chat.add(chatLine{Account: o.account.AppID, User: m.To, At: m.At, From: fromAccount, Done: true, Fields: m.said()})
	if onSent := o.platform.onSent; onSent != nil {
		told := m
		told.Fields = slices.Clone(m.Fields)
		onSent(told)
	}
	return result{answer: okResult.answer, fields: m.said()}
}

// said returns all that the message says, its type first.
func (m *CustomMessage) said() []sender.Field {
	return append([]sender.Field{{Name: "msgtype", Value: m.Type}}, m.Fields...)
}

// customTyping is /cgi-bin/message/custom/typing.
func (o *official) customTyping(c *apiCall) result {
	var to, command string
	if !c.body.read("touser", &to) || !c.body.read("command", &command) {
		return refused(47001)
	}
	u := o.api.users.get(to)
	switch {
	case u == nil:
		return refused(40003)
	case command == "CancelTyping":
		u.typing = time.Time{}
		o.platform.chat.types(talker{o.account.AppID, to}, u.typing, c.now)
		return okResult
	case command != "Typing":
		return refused(45072)
	}
	_, errcode := u.window(c.now)
	switch {
	case errcode == 45015: // what allows no message at all allows no sign of one
		return refused(45015)
	case c.now.Sub(u.contact) > typingAfter:
		return refused(45080)
	case c.now.Before(u.typing):
		return refused(45081)
	}
	u.typing = c.now.Add(typingLasts)
	o.platform.chat.types(talker{o.account.AppID, to}, u.typing, c.now)
	return okResult
}
