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

// Key is what WeChat's attempts to send one message have in common (internal/wechat/platform.md A.7). It is made here
// alone.
type Key struct {
	Account  string // the account's name
	To, From string
	MsgID    int64  // of a user's message; else 0
	Content  string `json:",omitempty"` // of all others the hash of all they hold, which an attempt repeats; else ""
}

// Key returns the key of a message. ok is false if WeChat did not send the message: nobody sends it again.
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

// hasNumber reports whether MsgId alone is a message's key. Of an event it would be the number of something else: events
// have none (platform.md C).
func (m *Message) hasNumber() bool { return m.GetMsgId() != 0 && m.GetEvent() == nil }

// HashContent returns what content_hash is to be: "" for a message whose key is its MsgId, or that WeChat did not send.
// Users get several cards in one second, and platform events of different users have one sender: only the whole content
// tells two events apart.
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

// isMsgID reports whether an element without a field is a MsgId that is not a number.
func isMsgID(e *Element) bool { return e.GetName() == "MsgId" && e.GetText() != "" }

// ID returns the key as 32 hex digits, which tell nothing of it.
func (k Key) ID() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
