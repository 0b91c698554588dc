package backlog

import (
	"cmp"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// State is how far a message is.
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

// isEnded reports whether no replica works on a message any more.
func isEnded(s State) bool { return s != Pending && s != Sending && s != Kept }

// isFailed reports whether a message ended without its answer.
func isFailed(s State) bool { return s == Refused || s == GivenUp || s == Expired || s == Uncertain }

const (
	// Window is how long WeChat accepts the answer to a message (platform.md F.3), and how long a failure is kept.
	Window = 48 * time.Hour
	// keepAnswered is how long a message is remembered after its answer.
	keepAnswered = 10 * time.Minute
	// keepAll is far longer than any message waits.
	keepAll = 7 * 24 * time.Hour
)

// Record is a message as it is stored.
type Record struct {
	Key            wechatv1.Key
	CreateTime     int64 // WeChat's clock: the order of a user's messages
	MsgType, Event string
	Message        []byte `json:",omitempty"` // wechat.v1.Message, while it may be needed
	Reply          []byte `json:",omitempty"` // wechat.v1.Reply, once it is made

	State   State
	Owner   string        `json:",omitempty"` // the replica that works on it, or did last; "": none did
	Takes   int           `json:",omitempty"` // how many replicas began its answer, and may have died over it
	Later   bool          `json:",omitempty"` // the user's next message gets the answer; else it is sent
	Text    string        `json:",omitempty"` // the reply that the user got meanwhile
	Parts   int           `json:",omitempty"`
	Sent    int           `json:",omitempty"` // parts that WeChat took
	Retries int           `json:",omitempty"` // attempts that WeChat asked to repeat
	Attempt string        `json:",omitempty"` // the id of the last attempt to send a part
	Reason  string        `json:",omitempty"`
	Errcode string        `json:",omitempty"` // WeChat's
	Failure string        `json:",omitempty"` // why a rule or bot failed
	Fetcher *wechatv1.Key `json:",omitempty"` // the user's message that got the answer; nil if it was sent
	Apology *Ending       `json:",omitempty"` // how it ends: the reply only tells the user that no answer comes; nil while one may come

	Taken   time.Time `json:",omitzero"` // the first of Takes
	Came    time.Time // when WeChat sent it first, or an operator retried it
	Begun   time.Time `json:",omitzero"` // the last attempt to send a part
	Updated time.Time
}

func newRecord(key wechatv1.Key, msg *wechatv1.Message, came time.Time) (Record, error) {
	data, err := proto.Marshal(msg)
	return Record{Key: key, CreateTime: msg.GetCreateTime(), MsgType: service.ClipText(msg.GetMsgType(), service.MaxName),
		Event:   service.ClipText(msg.GetEvent().GetEvent(), service.MaxName),
		Message: data, State: Pending, Came: came, Updated: came}, err
}

// timeToLive returns how long the store keeps the record from now on; 0: for keepAll.
func (r *Record) timeToLive() time.Duration {
	switch {
	case isFailed(r.State):
		return Window
	case r.Fetcher != nil:
		return keepFetched
	case isEnded(r.State):
		return keepAnswered
	}
	return 0
}

// isExpired reports whether WeChat's window for the answer has ended.
func (r *Record) isExpired() bool { return time.Since(r.Came) > Window }

// compareOrder compares the order of two messages of a user: by WeChat's clock, within a second by ours.
func (r *Record) compareOrder(s *Record) int {
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

// decodeRecord reads a record. ok is false if no known version stored it.
func decodeRecord(data []byte) (r Record, ok bool) {
	ok = json.Unmarshal(data, &r) == nil && r.State != 0
	return r, ok
}

// Delivery returns the record as operators see it, without texts.
func (r *Record) Delivery() *replierv1.Delivery {
	return &replierv1.Delivery{
		Id: r.Key.ID(), Account: r.Key.Account, Openid: r.Key.From, MsgType: r.MsgType, Event: r.Event, MsgId: r.Key.MsgID,
		State: r.State, Reason: cmp.Or(r.Reason, r.Failure), Errcode: r.Errcode, Parts: int32(r.Parts), PartsSent: int32(r.Sent), Retries: int32(r.Retries),
		CreateTime: timestamppb.New(r.Came), UpdateTime: timestamppb.New(r.Updated),
	}
}
