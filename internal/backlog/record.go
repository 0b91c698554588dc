package backlog

import (
	"cmp"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// State is how far an answer is.
type State = replierv1.DeliveryState

// The states.
const (
	Pending   = replierv1.DeliveryState_DELIVERY_STATE_PENDING
	Sending   = replierv1.DeliveryState_DELIVERY_STATE_SENDING
	Kept      = replierv1.DeliveryState_DELIVERY_STATE_KEPT
	Sent      = replierv1.DeliveryState_DELIVERY_STATE_SENT
	Silent    = replierv1.DeliveryState_DELIVERY_STATE_SILENT
	Refused   = replierv1.DeliveryState_DELIVERY_STATE_REFUSED
	GivenUp   = replierv1.DeliveryState_DELIVERY_STATE_GIVEN_UP
	Expired   = replierv1.DeliveryState_DELIVERY_STATE_EXPIRED
	Dropped   = replierv1.DeliveryState_DELIVERY_STATE_DROPPED
	Uncertain = replierv1.DeliveryState_DELIVERY_STATE_UNCERTAIN
)

// ended tells whether nobody works on the message any more.
func ended(s State) bool { return s != Pending && s != Sending && s != Kept }

// failed tells whether a message ended without its answer.
func failed(s State) bool { return s == Refused || s == GivenUp || s == Expired || s == Uncertain }

const (
	// Window is how long after a message WeChat takes its answer (platform.md F.3), and how long a failure is kept.
	Window = 48 * time.Hour
	// keepAnswered is how long a message is remembered after its answer.
	keepAnswered = 10 * time.Minute
	// keepAll is far longer than any message waits.
	keepAll = 7 * 24 * time.Hour
)

// Record is a message whose answer is owed, as it is stored.
type Record struct {
	Key            wechatv1.Key
	CreateTime     int64 // WeChat's clock: the order of a user's messages
	MsgType, Event string
	Message        []byte `json:",omitempty"` // wechat.v1.Message, while somebody may need it
	Reply          []byte `json:",omitempty"` // wechat.v1.Reply, once it is made

	State   State
	Owner   string        `json:",omitempty"` // the replica that works on it, or did last; "": none
	Takes   int           `json:",omitempty"` // how many replicas made its answer, and may have died over it
	Later   bool          `json:",omitempty"` // the user's next message gets the answer; else it is sent
	Text    string        `json:",omitempty"` // what the user was told meanwhile
	Parts   int           `json:",omitempty"`
	Sent    int           `json:",omitempty"` // parts that WeChat took
	Retries int           `json:",omitempty"` // how often WeChat was asked in vain
	Attempt string        `json:",omitempty"` // while it is sent, what names the attempt
	Reason  string        `json:",omitempty"`
	Errcode string        `json:",omitempty"` // WeChat's
	Failure string        `json:",omitempty"` // why a rule or bot failed
	Fetcher *wechatv1.Key `json:",omitempty"` // the user's message that got the answer; nil if it was sent
	Apology *Ending       `json:",omitempty"` // how it ends: the reply only tells the user that no answer comes; nil while one may come

	Taken   time.Time `json:",omitzero"` // when the first of Takes was
	Came    time.Time // the first attempt, or when an operator tried it again
	Begun   time.Time `json:",omitzero"` // when the last attempt to send the answer was
	Updated time.Time
}

func newRecord(key wechatv1.Key, msg *wechatv1.Message, came time.Time) (Record, error) {
	data, err := proto.Marshal(msg)
	return Record{Key: key, CreateTime: msg.GetCreateTime(), MsgType: service.Clip(msg.GetMsgType(), service.MaxName),
		Event:   service.Clip(msg.GetEvent().GetEvent(), service.MaxName),
		Message: data, State: Pending, Came: came, Updated: came}, err
}

// life is how long the record is kept from now on; 0: as long as any.
func (r *Record) life() time.Duration {
	switch {
	case failed(r.State):
		return Window
	case r.Fetcher != nil:
		return keepFetched
	case ended(r.State):
		return keepAnswered
	}
	return 0
}

// over tells whether WeChat's window for an answer has ended.
func (r *Record) over() bool { return time.Since(r.Came) > Window }

// compare tells which of two messages of a user came first: by WeChat's clock, within a second by ours.
func (r *Record) compare(s *Record) int {
	return cmp.Or(cmp.Compare(r.CreateTime, s.CreateTime), r.Came.Compare(s.Came), cmp.Compare(r.Key.MsgID, s.Key.MsgID),
		cmp.Compare(r.Key.Content, s.Key.Content))
}

func (r *Record) encode() []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts, numbers, times
	}
	return data
}

// decodeRecord returns false for what no version of ours has stored.
func decodeRecord(data []byte) (r Record, ok bool) {
	ok = json.Unmarshal(data, &r) == nil && r.State != 0
	return r, ok
}

// Delivery returns the record as operators see it: without texts.
func (r *Record) Delivery() *replierv1.Delivery {
	return &replierv1.Delivery{
		Id: r.Key.ID(), Account: r.Key.Account, Openid: r.Key.From, MsgType: r.MsgType, Event: r.Event, MsgId: r.Key.MsgID,
		State: r.State, Reason: cmp.Or(r.Reason, r.Failure), Errcode: r.Errcode, Parts: int32(r.Parts), PartsSent: int32(r.Sent), Retries: int32(r.Retries),
		CreateTime: timestamp(r.Came), UpdateTime: timestamp(r.Updated),
	}
}
