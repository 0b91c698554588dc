package service

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/metadata"
)

// DebugKey in the metadata of a call of Reply asks for a ReplyTrace, which the trailer then has in TraceKey as JSON. It is for
// debugging: a bot need not look at it.
const (
	DebugKey = "wxgate-debug"
	TraceKey = "wxgate-trace-bin"
)

// ReplyTrace describes the way to an answer. It holds nothing that a user wrote.
type ReplyTrace struct {
	Outcome string      `json:"outcome"`          // reply, silent, no_rule, fetched; not ready in time: deferred, hold, dropped, given_up; or failed
	Attempt int         `json:"attempt"`          // from 1; a further one has the work of the first, or its answer; 0: no work was begun
	Rule    string      `json:"rule"`             // that answered, or forwards; "": none
	File    string      `json:"file"`             // of the rule
	Line    int         `json:"line"`             // from 1
	Failed  []string    `json:"failed,omitempty"` // why rules that matched could not answer
	Micros  int64       `json:"us"`               // from the call to the answer, in microseconds
	Steps   []TraceStep `json:"steps,omitempty"`
}

// TraceStep is a part of the way to an answer that took time.
type TraceStep struct {
	Name   string `json:"name"`         // rules, and in them forward; or fetch
	To     string `json:"to,omitempty"` // the bot
	From   int64  `json:"from_us"`      // from the call, in microseconds
	Micros int64  `json:"us"`
}

// Bounds of a ReplyTrace.
const (
	MaxTraceBytes = 16 << 10 // bytes, as JSON
	MaxTraceSteps = 16
)

// Trailer returns the trace as a call's trailer.
func (t *ReplyTrace) Trailer() metadata.MD {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	return metadata.Pairs(TraceKey, string(data))
}

// ReadReplyTrace returns the trace in a call's trailer; nil if there is none.
func ReadReplyTrace(trailer metadata.MD) (*ReplyTrace, error) {
	values := trailer.Get(TraceKey)
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > 1 || len(values[0]) > MaxTraceBytes {
		return nil, fmt.Errorf("%s: given twice, or longer than %d bytes", TraceKey, MaxTraceBytes)
	}
	t := &ReplyTrace{}
	if err := json.Unmarshal([]byte(values[0]), t); err != nil {
		return nil, fmt.Errorf("%s: %w", TraceKey, err)
	}
	t.Steps = t.Steps[:min(len(t.Steps), MaxTraceSteps)]
	return t, nil
}
