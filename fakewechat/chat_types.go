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
	Since  int64       `json:"since"`  // the order in which users were added
	Number int         `json:"number"` // among the account's users, from 1
	Follow followState `json:"follow"`
	typing time.Time   // until when the account is shown as typing
}

// lineOrigin is the origin of a line.
type lineOrigin string

// The origins of a line.
const (
	fromUser      lineOrigin = "user"
	fromAccount   lineOrigin = "account"   // a customer-service message
	fromElsewhere lineOrigin = "elsewhere" // a user's callback that another process sends; only that process gets the answer
)

// chatLine is a message or event of a user with the attempts to deliver it, or a customer-service message.
type chatLine struct {
	ID       int64          `json:"id"`
	Account  string         `json:"account"` // its AppID
	User     string         `json:"user"`
	At       time.Time      `json:"at"`
	From     lineOrigin     `json:"from"`
	Fields   []sender.Field `json:"fields"`
	Done     bool           `json:"done"`              // no attempt is running or will follow
	Refused  []string       `json:"refused,omitempty"` // the reasons for which the user sees ServiceFailed
	Attempts []*chatAttempt `json:"attempts,omitempty"`
	XML      string         `json:"xml,omitempty"`  // the callback, plain; not in events
	Send     []string       `json:"send,omitempty"` // the kind and arguments that it was composed of; not in events

	RefusedZH []string `json:"refusedZH,omitempty"` // Refused in Chinese
}

// chatAttempt is one attempt to deliver a callback.
type chatAttempt struct {
	Number   int            `json:"number"`
	Copy     bool           `json:"copy,omitempty"`   // an additional copy of attempt Number
	Faults   []string       `json:"faults,omitempty"` // the faults that struck, by name
	At       time.Time      `json:"at"`
	Running  bool           `json:"running,omitempty"`
	Millis   int64          `json:"ms"`
	Status   int            `json:"status,omitempty"`
	Error    string         `json:"error,omitempty"` // the reason why there is no answer to judge
	Fields   []sender.Field `json:"fields,omitempty"`
	Refused  []string       `json:"refused,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
	Hidden   bool           `json:"hidden,omitempty"`   // the answer is accepted and not shown
	Exchange *chatExchange  `json:"exchange,omitempty"` // not in events

	ErrorZH   string   `json:"errorZH,omitempty"` // Error and Refused in Chinese
	RefusedZH []string `json:"refusedZH,omitempty"`

	WarningsZH []string `json:"warningsZH,omitempty"` // Warnings in Chinese

	Trace json.RawMessage `json:"trace,omitempty"` // the gateway's trace of it; only in the answer of serveLine
}

// chatExchange is the request and the answer of an attempt, cut to maxShown.
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
	Account string    `json:"account,omitempty"`   // AppID of the account that was called
	User    string    `json:"user,omitempty"`      // openid of the user that the call concerns
}

// chatTyping says for how long an account is shown as typing to a user.
type chatTyping struct {
	chatUserKey
	Millis int64 `json:"ms"`
}

// chatState is the state that a page starts with.
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

// userKey returns the user of the chat that contains the line.
func (l *chatLine) userKey() chatUserKey { return chatUserKey{l.Account, l.User} }

// withoutBodies returns a copy of the line without its bodies.
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

// boundedFields returns a copy of fields with bounded number and size.
func boundedFields(fields []sender.Field) []sender.Field {
	kept := make([]sender.Field, 0, min(len(fields), maxElements))
	for _, f := range fields[:min(len(fields), maxElements)] {
		kept = append(kept, sender.Field{Name: sender.Clip(f.Name, 100), Value: sender.Clip(f.Value, 2*sender.MaxText)})
	}
	return kept
}
