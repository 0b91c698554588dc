package wechatv1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"google.golang.org/protobuf/proto"
)

// MaxAttempts is how often WeChat sends a message that gets no answer, 5 s apart (internal/wechat/platform.md A.6).
const MaxAttempts = 3

// Key identifies a message: all of WeChat's attempts to send it have the same key (internal/wechat/platform.md A.7).
type Key struct {
	Account  string // the account's name
	To, From string
	MsgID    int64  // of a user's message; 0 for others
	Content  string `json:",omitempty"` // of other messages: the hash of their content, which all attempts repeat; else ""
}

// Key returns the key of a message. ok is false if WeChat did not send the message: it is never sent again.
func (m *Message) Key() (key Key, ok bool) {
	key = Key{Account: m.GetAccount(), To: m.GetToUserName(), From: m.GetFromUserName()}
	if m.hasNumber() {
		key.MsgID = m.GetMsgId()
		return key, true
	}
	if key.Content = m.GetContentHash(); key.Content == "" {
		key.Content = m.HashContent()
	}
	return key, key.Content != ""
}

// hasNumber reports whether MsgId identifies the message. Events have none (platform.md C): in an event, MsgId is the number of
// something else.
func (m *Message) hasNumber() bool { return m.GetMsgId() != 0 && m.GetEvent() == nil }

// HashContent returns the value for content_hash; "" if the message's key is its MsgId, or WeChat did not send it. Only the
// whole content distinguishes two events: users get several cards in one second, and platform events of different users
// have the same sender.
func (m *Message) HashContent() string {
	if m.hasNumber() || m.GetCreateTime() == 0 && !slices.ContainsFunc(m.GetExtra(), isMsgID) {
		return ""
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // a message that was read from a callback, or over gRPC
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// isMsgID reports whether an element of extra is a MsgId that is not a number.
func isMsgID(e *Element) bool { return e.GetName() == "MsgId" && e.GetText() != "" }

// ID returns a hash of the key as 32 hex digits, which do not reveal it.
func (k Key) ID() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
