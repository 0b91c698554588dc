package fakewechat

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of asking a gateway.
const (
	tracePatience = time.Second // for all attempts of a line
	maxTrace      = 64 << 10    // bytes of an answer
)

// tracer asks a wxgate gateway what became of callbacks.
type tracer struct {
	url    string // "": nobody is asked
	key    string // "": none is shown
	client *http.Client
}

func newTracer(internal, key string) *tracer {
	t := &tracer{key: key, client: (&Sender{}).client()}
	if internal != "" {
		t.url = strings.TrimSuffix(internal, "/") + "/debug/callbacks?nonce="
	}
	return t
}

// add adds to attempts what the gateway tells of them. One that is away, or does not debug, tells nothing.
func (t *tracer) add(ctx context.Context, attempts []*chatAttempt) {
	if t.url == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tracePatience)
	defer cancel()
	told := map[string][]json.RawMessage{} // by nonce, the oldest first
	for _, a := range attempts {
		if a.Exchange == nil || slices.Contains(a.Faults, "lose") { // it never got there
			continue
		}
		sent, err := url.Parse(a.Exchange.URL)
		if err != nil {
			continue
		}
		// Attempts may share a nonce: copies, and by a fault retries.
		nonce := sent.Query().Get("nonce")
		if _, asked := told[nonce]; !asked {
			if told[nonce], err = t.ask(ctx, nonce); err != nil {
				return
			}
		}
		if traces := told[nonce]; len(traces) > 0 {
			a.Trace, told[nonce] = traces[0], traces[1:]
		}
	}
}

// ask returns what the gateway tells of the callbacks with a nonce.
func (t *tracer) ask(ctx context.Context, nonce string) ([]json.RawMessage, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+url.QueryEscape(nonce), http.NoBody)
	if err != nil {
		return nil, err
	}
	if t.key != "" {
		r.Header.Set("Authorization", "Bearer "+t.key)
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var told struct{ Callbacks []json.RawMessage }
	err = json.NewDecoder(io.LimitReader(resp.Body, maxTrace)).Decode(&told)
	return told.Callbacks, err
}
