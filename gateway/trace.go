package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// The limits of the debug view.
const (
	maxTraces   = 200
	shownTraces = 50       // in one response
	maxShown    = 16 << 10 // bytes of a message, as JSON
)

// traceLog keeps the last callbacks for the debug view, with the users' messages. A nil one keeps nothing.
type traceLog struct {
	mu   sync.Mutex
	kept []*callbackTrace // oldest first; they do not change
}

func newTraceLog() *traceLog { return &traceLog{} }

// callbackTrace is the record of a callback. If debugging is off it is nil; addHop, noteOpened and finishTrace then do nothing.
type callbackTrace struct {
	At      time.Time           `json:"at"`
	Nonce   string              `json:"nonce"` // of the query; each attempt of WeChat's has another
	Account string              `json:"account"`
	Outcome string              `json:"outcome"`           // as in wxgate_callbacks_total
	Micros  int64               `json:"us"`                // until the response was ready, in microseconds
	Message json.RawMessage     `json:"message,omitempty"` // a wechat.v1.Message; of a long one the beginning, as a string; missing if the callback was refused
	Hops    []service.TraceStep `json:"hops"`              // in sequence; those of the replier are within its hop
	Replier *service.ReplyTrace `json:"replier,omitempty"` // its own report, without the steps, which are among the hops

	log     *traceLog // nil after finishTrace
	msg     *wechatv1.Message
	trailer metadata.MD
}

// startTrace returns the trace of a callback that arrived at a time.
func (ts *traceLog) startTrace(r *http.Request, a *readyAccount, came time.Time) *callbackTrace {
	if ts == nil {
		return nil
	}
	t := &callbackTrace{log: ts, At: came, Account: a.Name, Hops: []service.TraceStep{}}
	if nonce := r.URL.Query().Get("nonce"); len(nonce) <= maxParameter {
		t.Nonce = nonce
	}
	return t
}

// addHop adds a hop that began at the end of the hop before and ends now.
func (t *callbackTrace) addHop(name string) {
	if t == nil {
		return
	}
	var from int64
	if n := len(t.Hops); n > 0 {
		from = t.Hops[n-1].From + t.Hops[n-1].Micros
	}
	t.Hops = append(t.Hops, service.TraceStep{Name: name, From: from, Micros: time.Since(t.At).Microseconds() - from})
}

// noteOpened records that the callback is accepted, with its message.
func (t *callbackTrace) noteOpened(msg *wechatv1.Message) {
	if t != nil {
		t.addHop("open")
		t.msg = msg
	}
}

// requestSteps makes a call ask the replier for its steps.
func (t *callbackTrace) requestSteps(ctx context.Context, options []grpc.CallOption) (context.Context, []grpc.CallOption) {
	return metadata.AppendToOutgoingContext(ctx, service.DebugKey, "1"), append(options, grpc.Trailer(&t.trailer))
}

// finishTrace completes the trace and keeps it. It is called before the response is sent, so that the caller finds the trace.
func (t *callbackTrace) finishTrace(outcome callbackOutcome) {
	if t == nil || t.log == nil {
		return
	}
	if t.msg == nil {
		t.addHop("open") // the callback was refused
	} else {
		t.addHop("seal")
	}
	t.Outcome, t.Micros = string(outcome), time.Since(t.At).Microseconds()
	t.Message = shownMessage(t.msg)
	t.Replier, _ = service.ReadReplyTrace(t.trailer) // a bot may send an invalid one
	t.placeSteps()
	ts := t.log
	t.log, t.msg, t.trailer = nil, nil, nil
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.kept) == maxTraces {
		ts.kept = slices.Delete(ts.kept, 0, 1)
	}
	ts.kept = append(ts.kept, t)
}

// placeSteps inserts the replier's steps after its hop. Clocks differ, so the time of the call beyond the replier's own is split
// equally between the way there and the way back.
func (t *callbackTrace) placeSteps() {
	at := slices.IndexFunc(t.Hops, func(h service.TraceStep) bool { return h.Name == "replier" })
	if at < 0 || t.Replier == nil {
		return
	}
	hop := t.Hops[at]
	way := (hop.Micros - min(max(t.Replier.Micros, 0), hop.Micros)) / 2
	steps := t.Replier.Steps
	t.Replier.Steps = nil
	for i, s := range steps {
		from := min(max(s.From, 0), hop.Micros-way)
		steps[i].From, steps[i].Micros = hop.From+way+from, min(max(s.Micros, 0), hop.Micros-way-from)
	}
	t.Hops = slices.Insert(t.Hops, at+1, steps...)
}

// shownMessage returns a message as JSON; nil for nil.
func shownMessage(msg *wechatv1.Message) json.RawMessage {
	if msg == nil {
		return nil
	}
	data, err := protojson.Marshal(msg)
	if err != nil || len(data) <= maxShown {
		return data
	}
	return encodeJSON(service.ClipText(string(data), maxShown))
}

// serveTraces serves the traces with the nonces in the query; without nonces, the newest traces. The oldest comes first.
func (ts *traceLog) serveTraces(w http.ResponseWriter, r *http.Request) {
	nonces, asked := r.URL.Query()["nonce"]
	found := []*callbackTrace{}
	ts.mu.Lock()
	for _, t := range ts.kept {
		if !asked || slices.Contains(nonces, t.Nonce) {
			found = append(found, t)
		}
	}
	ts.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(encodeJSON(map[string]any{"callbacks": found[max(0, len(found)-shownTraces):]}))
}

// encodeJSON returns value as JSON, without escapes for HTML.
func encodeJSON(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // our own structs, and JSON
	}
	return b.Bytes()
}
