package wechatv1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Key is what WeChat's attempts to send one message have in common (internal/wechat/platform.md A.7).
type Key struct {
	Account  string // the account's name
	To, From string
	MsgID    int64 // of a message; of an event, that of the job whose end it tells
	// Of an event; else empty.
	CreateTime int64  `json:",omitempty"`
	Event      string `json:",omitempty"`
	EventKey   string `json:",omitempty"`
}

// Key returns the key of a message; ok is false where WeChat did not send it, so that nobody sends it again.
func (m *Message) Key() (key Key, ok bool) {
	key = Key{Account: m.GetAccount(), To: m.GetToUserName(), From: m.GetFromUserName(), MsgID: m.GetMsgId()}
	if key.MsgID != 0 {
		return key, true
	}
	e := m.GetEvent()
	key.MsgID, key.CreateTime, key.Event, key.EventKey = e.jobID(), m.GetCreateTime(), e.GetEvent(), e.GetEventKey()
	return key, e != nil && key.CreateTime != 0
}

// jobID returns the number of what an event tells the end of; 0 for other events. Many end in one second.
func (e *Event) jobID() int64 {
	switch {
	case e.GetTemplateSendJobFinish() != nil:
		return e.GetTemplateSendJobFinish().GetMsgId()
	case e.GetMassSendJobFinish() != nil:
		return e.GetMassSendJobFinish().GetMsgId()
	case len(e.GetSubscribeMsgSentEvent().GetList()) > 0:
		return e.GetSubscribeMsgSentEvent().GetList()[0].GetMsgId()
	}
	return 0
}

// ID returns the key as 32 hex digits, which tell nothing of it.
func (k Key) ID() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
