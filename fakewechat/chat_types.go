package fakewechat

import (
	"encoding/json"
	"time"

	"wxgate/fakewechat/sender"
)

// chatUserKey is a user of an account.
type chatUserKey struct {
	Account string `json:"account"` // its AppID
	OpenID  string `json:"openid"`
}

// chatUser is a user of the fake platform with a chat.
type chatUser struct {
	chatUserKey
	Since  int64       `json:"since"`  // its place among the users
	Number int         `json:"number"` // among the account's users, from 1
	Follow followState `json:"follow"`
	typing time.Time   // when the sign that the account is typing goes out
}

// Who a line comes from.
const (
	fromUser      = "user"
	fromAccount   = "account"   // a customer-service message
	fromElsewhere = "elsewhere" // a user's callback that another process sends, which alone sees its answer
)

// chatLine is a message or event of a user with the attempts to deliver it, or a customer-service message.
type chatLine struct {
	ID       int64          `json:"id"`
	Account  string         `json:"account"` // its AppID
	User     string         `json:"user"`
	At       time.Time      `json:"at"`
	From     string         `json:"from"`
	Fields   []sender.Field `json:"fields"`
	Done     bool           `json:"done"`              // no more attempts follow
	Refused  []string       `json:"refused,omitempty"` // why the user reads ServiceFailed
	Attempts []*chatAttempt `json:"attempts,omitempty"`
	XML      string         `json:"xml,omitempty"`  // the callback, plain; not in events
	Send     []string       `json:"send,omitempty"` // the kind and arguments that made it; not in events

	RefusedZH []string `json:"refusedZH,omitempty"` // Refused in Chinese
}

// chatAttempt is one attempt to deliver a callback.
type chatAttempt struct {
	Number   int            `json:"number"`
	Copy     bool           `json:"copy,omitempty"`   // sent besides Number
	Faults   []string       `json:"faults,omitempty"` // what went wrong on purpose
	At       time.Time      `json:"at"`
	Running  bool           `json:"running,omitempty"`
	Millis   int64          `json:"ms"`
	Status   int            `json:"status,omitempty"`
	Error    string         `json:"error,omitempty"` // why there is no answer to judge
	Fields   []sender.Field `json:"fields,omitempty"`
	Refused  []string       `json:"refused,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
	Hidden   bool           `json:"hidden,omitempty"`   // the answer is accepted, and shown to nobody
	Exchange *chatExchange  `json:"exchange,omitempty"` // not in events

	ErrorZH   string   `json:"errorZH,omitempty"` // Error and Refused in Chinese
	RefusedZH []string `json:"refusedZH,omitempty"`

	WarningsZH []string `json:"warningsZH,omitempty"` // Warnings in Chinese

	Trace json.RawMessage `json:"trace,omitempty"` // what the gateway tells of it; only put in where the page asks for the line
}

// chatExchange is what an attempt sent and got, byte for byte as far as it is shown.
type chatExchange struct {
	URL     string `json:"url"`
	Request string `json:"request"`
	Answer  string `json:"answer"`
	Opened  string `json:"opened"` // the answer's XML out of its envelope
}

// chatCall is an API call.
type chatCall struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Path    string    `json:"path"`
	Outcome string    `json:"outcome"`
	InZH    string    `json:"outcomeZH,omitempty"` // Outcome in Chinese; "": it stays as it is
	Account string    `json:"account,omitempty"`   // the AppID of the account that it is for
	User    string    `json:"user,omitempty"`      // whom it is for
}

// chatTyping tells for how long the account is typing.
type chatTyping struct {
	chatUserKey
	Millis int64 `json:"ms"`
}

// chatState is all that a page needs to begin.
type chatState struct {
	Users  []*chatUser  `json:"users"`
	Lines  []*chatLine  `json:"lines"`
	Calls  []chatCall   `json:"calls"`
	Typing []chatTyping `json:"typing"`
	Faults Faults       `json:"faults"`
	Paths  []string     `json:"paths"` // of API calls
}

// chatEvent is a server-sent event.
type chatEvent struct {
	name string
	data []byte // JSON
}

// userKey returns whose chat the line is in.
func (l *chatLine) userKey() chatUserKey { return chatUserKey{l.Account, l.User} }

// withoutBodies returns a copy without the bodies.
func (l *chatLine) withoutBodies() *chatLine {
	s := *l
	s.XML, s.Send, s.Attempts = "", nil, nil
	for _, a := range l.Attempts {
		short := *a
		short.Exchange = nil
		s.Attempts = append(s.Attempts, &short)
	}
	return &s
}

// boundedFields returns a copy of fields that can't fill the memory.
func boundedFields(fields []sender.Field) []sender.Field {
	kept := make([]sender.Field, 0, min(len(fields), maxElements))
	for _, f := range fields[:min(len(fields), maxElements)] {
		kept = append(kept, sender.Field{Name: sender.Clip(f.Name, 100), Value: sender.Clip(f.Value, 2*sender.MaxText)})
	}
	return kept
}
