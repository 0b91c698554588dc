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
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Bounds of what a gateway that debugs remembers.
const (
	maxTraces   = 200
	shownTraces = 50       // in one answer
	maxShown    = 16 << 10 // bytes of a message, as JSON
)

// traces are the last callbacks, for who debugs: they show what users write. Nil ones remember nothing.
type traces struct {
	mu   sync.Mutex
	kept []*trace // oldest first; what is kept does not change
}

func newTraces() *traces { return &traces{} }

// trace is what became of a callback. A nil one notes nothing: debugging is off.
type trace struct {
	At      time.Time        `json:"at"`
	Nonce   string           `json:"nonce"` // the query's; WeChat takes another for each attempt
	Account string           `json:"account"`
	Outcome string           `json:"outcome"`           // as in wxgate_callbacks_total
	Micros  int64            `json:"us"`                // until the answer was ready to go, in microseconds
	Message json.RawMessage  `json:"message,omitempty"` // a wechat.v1.Message; the beginning of a long one, as a string; not there where the callback was refused
	Hops    []replierv1.Step `json:"hops"`              // one after the other, but those of the replier, which are in its hop
	Replier *replierv1.Trace `json:"replier,omitempty"` // what it tells; its steps are among the hops

	in      *traces // nil once it is kept
	msg     *wechatv1.Message
	trailer metadata.MD
}

// begin returns the trace of a callback that came at a time.
func (ts *traces) begin(r *http.Request, a *account, came time.Time) *trace {
	if ts == nil {
		return nil
	}
	t := &trace{in: ts, At: came, Account: a.Name, Hops: []replierv1.Step{}}
	if nonce := r.URL.Query().Get("nonce"); len(nonce) <= maxParameter {
		t.Nonce = nonce
	}
	return t
}

// hop notes that what began with the end of the hop before ends now.
func (t *trace) hop(name string) {
	if t == nil {
		return
	}
	var from int64
	if n := len(t.Hops); n > 0 {
		from = t.Hops[n-1].From + t.Hops[n-1].Micros
	}
	t.Hops = append(t.Hops, replierv1.Step{Name: name, From: from, Micros: time.Since(t.At).Microseconds() - from})
}

// opened notes that the callback is let in, with its message.
func (t *trace) opened(msg *wechatv1.Message) {
	if t != nil {
		t.hop("open")
		t.msg = msg
	}
}

// calling has a call of the replier ask how the answer comes about.
func (t *trace) calling(ctx context.Context, options []grpc.CallOption) (context.Context, []grpc.CallOption) {
	return metadata.AppendToOutgoingContext(ctx, replierv1.DebugKey, "1"), append(options, grpc.Trailer(&t.trailer))
}

// keep ends the trace, and remembers it. Who gets the callback's answer finds it from then on.
func (t *trace) keep(outcome string) {
	if t == nil || t.in == nil {
		return
	}
	if t.msg == nil {
		t.hop("open") // it was not
	} else {
		t.hop("seal")
	}
	t.Outcome, t.Micros = outcome, time.Since(t.At).Microseconds()
	t.Message = shownMessage(t.msg)
	t.Replier, _ = replierv1.ReadTrace(t.trailer) // a bot may tell nonsense
	t.placeSteps()
	ts := t.in
	t.in, t.msg, t.trailer = nil, nil, nil
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.kept) == maxTraces {
		ts.kept = slices.Delete(ts.kept, 0, 1)
	}
	ts.kept = append(ts.kept, t)
}

// placeSteps puts the replier's steps behind its hop. Its clock is another, and half of what the call took longer is taken for
// the way there.
func (t *trace) placeSteps() {
	at := slices.IndexFunc(t.Hops, func(h replierv1.Step) bool { return h.Name == "replier" })
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

// shownMessage returns a message as JSON; nil for none.
func shownMessage(msg *wechatv1.Message) json.RawMessage {
	if msg == nil {
		return nil
	}
	data, err := protojson.Marshal(msg)
	if err != nil || len(data) <= maxShown {
		return data
	}
	return encode(service.Clip(string(data), maxShown))
}

// serve serves the traces with the query's nonce, or where it has none all, the newest of them, oldest first.
func (ts *traces) serve(w http.ResponseWriter, r *http.Request) {
	nonces, asked := r.URL.Query()["nonce"]
	found := []*trace{}
	ts.mu.Lock()
	for _, t := range ts.kept {
		if !asked || slices.Contains(nonces, t.Nonce) {
			found = append(found, t)
		}
	}
	ts.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(encode(map[string]any{"callbacks": found[max(0, len(found)-shownTraces):]}))
}

// encode returns JSON in which texts stay as they are.
func encode(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // our own structs, and JSON
	}
	return b.Bytes()
}
