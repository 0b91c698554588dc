package fakewechat

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// Bounds of the questions to a gateway.
const (
	tracePatience      = time.Second // for all attempts of a line
	maxTrace           = 64 << 10    // bytes of an answer
	maxProblemText     = 1000        // bytes of a problem
	maxGatewayProblems = 10
)

// problemsEvery is how often a gateway is asked for its problems while a page is open.
const problemsEvery = time.Second

// gatewayTracer asks a wxgate gateway for the traces of callbacks and for the problems of its process.
type gatewayTracer struct {
	url    string // "": there is no gateway to ask
	ready  string // /readyz of the same process
	key    string // "": no key is sent
	client *http.Client
}

func newTracer(internal, key string) *gatewayTracer {
	t := &gatewayTracer{key: key, client: (&sender.Sender{}).HTTPClient()}
	if internal != "" {
		t.url = strings.TrimSuffix(internal, "/") + "/debug/callbacks?nonce="
		t.ready = strings.TrimSuffix(internal, "/") + "/readyz"
	}
	return t
}

// addTraces adds the gateway's traces to attempts. It adds none if the gateway is unreachable, or runs without --debug.
func (t *gatewayTracer) addTraces(ctx context.Context, attempts []*chatAttempt) {
	if t.url == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tracePatience)
	defer cancel()
	traces := map[string][]json.RawMessage{} // by nonce, the oldest first
	for _, a := range attempts {
		if a.Exchange == nil || slices.Contains(a.Faults, faultLose) { // it never reached the gateway
			continue
		}
		sent, err := url.Parse(a.Exchange.URL)
		if err != nil {
			continue
		}
		// Attempts may share a nonce: copies, and by a fault retries.
		nonce := sent.Query().Get("nonce")
		if _, asked := traces[nonce]; !asked {
			if traces[nonce], err = t.fetchTraces(ctx, nonce); err != nil {
				return
			}
		}
		if left := traces[nonce]; len(left) > 0 {
			a.Trace, traces[nonce] = left[0], left[1:]
		}
	}
}

// fetchTraces returns the gateway's traces of the callbacks with a nonce.
func (t *gatewayTracer) fetchTraces(ctx context.Context, nonce string) ([]json.RawMessage, error) {
	var answer struct{ Callbacks []json.RawMessage }
	err := t.getJSON(ctx, t.url+url.QueryEscape(nonce), &answer)
	return answer.Callbacks, err
}

// gatewayProblem is a part of the gateway's process that does not do its work, such as a rules file that it rejects.
type gatewayProblem struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// fetchProblems returns the gateway's problems and the unreachable services, by their names. It returns nil if the gateway
// itself is unreachable.
func (t *gatewayTracer) fetchProblems(ctx context.Context) []gatewayProblem {
	ctx, cancel := context.WithTimeout(ctx, tracePatience)
	defer cancel()
	var report struct{ Problems, Away map[string]string }
	if t.getJSON(ctx, t.ready, &report) != nil {
		return nil
	}
	all := []gatewayProblem{}
	for _, listed := range []map[string]string{report.Problems, report.Away} {
		for _, name := range slices.Sorted(maps.Keys(listed)) {
			all = append(all, gatewayProblem{sender.Clip(name, maxProblemText), sender.Clip(listed[name], maxProblemText)})
		}
	}
	return all[:min(len(all), maxGatewayProblems)]
}

// watchProblems returns a channel with the gateway's problems: first those that exist, if any, then the list after each
// change, until ctx ends.
func (p *Platform) watchProblems(ctx context.Context) <-chan []gatewayProblem {
	changes := make(chan []gatewayProblem)
	if p.tracer.ready == "" {
		return changes
	}
	go func() {
		tick := time.NewTicker(problemsEvery)
		defer tick.Stop()
		known := []gatewayProblem{}
		for {
			if now := p.tracer.fetchProblems(ctx); now != nil && !slices.Equal(now, known) {
				select {
				case changes <- now:
					known = now
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return changes
}

// getJSON reads the gateway's JSON, with any status.
func (t *gatewayTracer) getJSON(ctx context.Context, from string, to any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return err
	}
	if t.key != "" {
		r.Header.Set("Authorization", "Bearer "+t.key)
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, maxTrace)).Decode(to)
}
