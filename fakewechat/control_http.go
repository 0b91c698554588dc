package fakewechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"wxgate/fakewechat/sender"
)

// controlPath is the path below which tests in other languages control a Platform (docs/FAKE.md).
const controlPath = "/fake/v1/"

const (
	maxControlBody = 4 << 20   // bytes of a body: the XML of the largest callback, escaped
	maxFail        = 1_000_000 // calls that fail on request
	maxSend        = 256       // messages in delivery
)

// controlError is an error with its HTTP status and a text for the caller.
type controlError struct {
	status int
	text   string
}

func (e *controlError) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &controlError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// controlCall handles a call and returns its answer. An error that is not a controlError is answered with status 400.
type controlCall func(w http.ResponseWriter, r *http.Request) (any, error)

// controlHandler serves the HTTP API with which tests control a Platform.
func (p *Platform) controlHandler() http.Handler {
	mux := http.NewServeMux()
	for route, do := range map[string]controlCall{
		"POST messages":               limitCalls(maxSend, p.controlSend),
		"GET sent":                    p.controlSent,
		"POST users/{openid}/actions": p.controlActions,
		"POST fail":                   p.controlFail,
		"GET calls":                   p.controlCalls,
		"POST expire-token":           commandCall(p.ExpireToken),
		"POST reset":                  commandCall(p.Reset),
		"GET faults":                  func(http.ResponseWriter, *http.Request) (any, error) { return p.Faults(), nil },
		"PUT faults":                  p.controlSetFaults,
		"GET accounts":                p.controlAccounts,
		"PUT accounts":                p.controlPutAccount,
	} {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" "+controlPath+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
			answer, err := do(w, r)
			status := http.StatusOK
			switch bad := (*controlError)(nil); {
			case errors.As(err, &bad):
				status, answer = bad.status, map[string]string{"error": bad.text}
			case err != nil:
				status, answer = http.StatusBadRequest, map[string]string{"error": err.Error()}
			}
			writeJSON(w, status, answer)
		})
	}
	return mux
}

// done is the answer of a call that returns no value.
var done = struct{}{}

func commandCall(do func()) controlCall {
	return func(http.ResponseWriter, *http.Request) (any, error) {
		do()
		return done, nil
	}
}

// limitCalls rejects a call if most calls are already running.
func limitCalls(most int, do controlCall) controlCall {
	slots := make(chan struct{}, most)
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			return do(w, r)
		default:
			return nil, &controlError{http.StatusServiceUnavailable, fmt.Sprintf("%d messages are on their way; wait for one of them", most)}
		}
	}
}

// readControlBody reads a body, strictly: one JSON object with no other keys than those of to.
func readControlBody(r *http.Request, to any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return badRequest("the body must be one JSON object and nothing after it")
		}
		return nil
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return badRequest("unknown key %s", sender.Clip(name, 40))
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return badRequest("the body is longer than %d MiB", maxControlBody>>20)
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		if wrong.Field == "" {
			return badRequest("the body must be a JSON object, not a JSON %s", wrong.Value)
		}
		return badRequest("%q must not be a JSON %s", wrong.Field, sender.Clip(wrong.Value, 40))
	}
	return badRequest("the body must be a JSON object")
}
