package fakewechat

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// v1Path is where tests in other languages steer a Platform; docs/FAKE.md describes it.
const v1Path = "/fake/v1/"

const (
	maxV1   = 4 << 20   // bytes of a body: the XML of the largest callback, escaped
	maxFail = 1_000_000 // calls that shall fail
	maxSend = 256       // messages on their way
)

// v1Error is an answer that is none: its status, and a text for whoever called.
type v1Error struct {
	status int
	text   string
}

func (e *v1Error) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &v1Error{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// v1Call does a call and returns its answer. An error that is no v1Error is a bad request's.
type v1Call func(w http.ResponseWriter, r *http.Request) (any, error)

// v1 serves what tests steer a Platform with.
func (p *Platform) v1() http.Handler {
	mux := http.NewServeMux()
	for route, do := range map[string]v1Call{
		"POST messages":               limited(maxSend, p.v1Messages),
		"GET sent":                    p.v1Sent,
		"POST users/{openid}/actions": p.v1Actions,
		"POST fail":                   p.v1Fail,
		"GET calls":                   p.v1Calls,
		"POST expire-token":           command(p.ExpireToken),
		"POST reset":                  command(p.Reset),
		"GET faults":                  func(http.ResponseWriter, *http.Request) (any, error) { return p.Faults(), nil },
		"PUT faults":                  p.v1SetFaults,
		"GET accounts":                p.v1Accounts,
		"PUT accounts":                p.v1PutAccount,
	} {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" "+v1Path+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxV1)
			answer, err := do(w, r)
			status := http.StatusOK
			switch bad := (*v1Error)(nil); {
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

// done is the answer of what has nothing to say.
var done = struct{}{}

func command(do func()) v1Call {
	return func(http.ResponseWriter, *http.Request) (any, error) {
		do()
		return done, nil
	}
}

// limited refuses what is more than most calls at a time.
func limited(most int, do v1Call) v1Call {
	slots := make(chan struct{}, most)
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			return do(w, r)
		default:
			return nil, &v1Error{http.StatusServiceUnavailable, fmt.Sprintf("%d messages are on their way; wait for one of them", most)}
		}
	}
}

// readV1 reads a body, strictly: a JSON object with no other keys than those of to.
func readV1(r *http.Request, to any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return badRequest("the body must be one JSON object and nothing behind it")
		}
		return nil
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return badRequest("unknown key %s", sender.Clip(name, 40))
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return badRequest("the body is longer than %d MiB", maxV1>>20)
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		if wrong.Field == "" {
			return badRequest("the body must be a JSON object, not a JSON %s", wrong.Value)
		}
		return badRequest("%q must not be a JSON %s", wrong.Field, sender.Clip(wrong.Value, 40))
	}
	return badRequest("the body must be a JSON object")
}

// v1Attempt is an Attempt in JSON.
type v1Attempt struct {
	Attempt int       `json:"attempt"`
	Copy    bool      `json:"copy"`
	At      time.Time `json:"at"`
	TookMS  float64   `json:"took_ms"`
	Faults  []string  `json:"faults"`
	Status  int       `json:"status,omitempty"`
	Error   string    `json:"error,omitempty"`
	Refused []string  `json:"refused"`
}

type v1Delivery struct {
	Attempts []v1Attempt       `json:"attempts"`
	Reply    map[string]string `json:"reply"`
	XML      string            `json:"xml"`
	Refused  []string          `json:"refused"`
	Warnings []string          `json:"warnings"`
	Hidden   bool              `json:"hidden"`
	Shown    string            `json:"shown"`
}

// v1Messages sends a callback.
func (p *Platform) v1Messages(w http.ResponseWriter, r *http.Request) (any, error) {
	var body struct {
		Account string          `json:"account"` // its AppID
		Kind    string          `json:"kind"`
		Args    []string        `json:"args"`
		From    string          `json:"from"`
		Message json.RawMessage `json:"message"`
		XML     string          `json:"xml"`
	}
	if err := readV1(r, &body); err != nil {
		return nil, err
	}
	if len(body.From) > maxOpenID {
		return nil, badRequest("from is longer than %d bytes", maxOpenID)
	}
	if body.XML == "" {
		body.From = cmp.Or(body.From, sender.User)
	}
	longAnswer(w)
	d, err := p.sendShown(r.Context(), spoken{body.Account, body.From, body.Kind, body.Args, body.Message, body.XML})
	switch {
	case errors.Is(err, errNoGateway):
		return nil, &v1Error{http.StatusNotFound, err.Error()}
	case err != nil:
		return nil, badRequest("%v", err)
	}
	return d.v1(), nil
}

func (d *Delivery) v1() v1Delivery {
	answer := v1Delivery{Attempts: []v1Attempt{}, Reply: d.Reply(), Refused: list(d.Refused), Warnings: []string{}}
	for _, a := range d.Attempts {
		v := v1Attempt{Attempt: a.Number, Copy: a.Copy, At: a.At, TookMS: float64(a.Took.Microseconds()) / 1000, Faults: list(a.Faults), Refused: []string{}}
		if a.Err != nil {
			v.Error = a.Err.Error()
		} else {
			v.Status, v.Refused = a.Result.Status, list(a.Result.Refused)
		}
		answer.Attempts = append(answer.Attempts, v)
	}
	if d.Answer != nil {
		answer.XML, answer.Warnings, answer.Hidden = string(d.Answer.XML), list(d.Answer.Warnings), d.Answer.Hidden
	}
	if len(d.Refused) > 0 {
		answer.Shown = sender.ServiceFailed
	}
	return answer
}

// list is never null in JSON.
func list(texts []string) []string { return append([]string{}, texts...) }

func byName(fields []sender.Field) map[string]string {
	values := map[string]string{}
	for _, f := range fields {
		values[f.Name] = f.Value
	}
	return values
}

// v1Sent tells which customer-service messages a user got.
func (p *Platform) v1Sent(_ http.ResponseWriter, r *http.Request) (any, error) {
	openid := r.URL.Query().Get("openid")
	if openid == "" {
		return nil, badRequest("the parameter openid is missing")
	}
	type message struct {
		At      time.Time         `json:"at"`
		Type    string            `json:"type"`
		Account string            `json:"account"`
		AppID   string            `json:"app_id"`
		Fields  map[string]string `json:"fields"`
	}
	messages := []message{}
	for _, m := range p.Sent(openid) {
		messages = append(messages, message{m.At, m.Type, m.Account, m.AppID, byName(m.Fields)})
	}
	return map[string]any{"messages": messages}, nil
}

var actions = map[string]Action{
	"wrote": Wrote, "tapped": Tapped, "followed": Followed, "scanned": Scanned, "paid": Paid, "unfollowed": Unfollowed,
}

// v1Actions tells what a user does.
func (p *Platform) v1Actions(_ http.ResponseWriter, r *http.Request) (any, error) {
	var body struct {
		Action string `json:"action"`
	}
	if err := readV1(r, &body); err != nil {
		return nil, err
	}
	action, known := actions[body.Action]
	openid := r.PathValue("openid")
	switch {
	case !known:
		return nil, badRequest("unknown action %q; there are %s", sender.Clip(body.Action, 40), strings.Join(slices.Sorted(maps.Keys(actions)), ", "))
	case openid == "" || len(openid) > maxOpenID:
		return nil, badRequest("an openid has 1 to %d bytes", maxOpenID)
	}
	p.Did(openid, action)
	return done, nil
}

// v1Fail has calls of the API fail.
func (p *Platform) v1Fail(_ http.ResponseWriter, r *http.Request) (any, error) {
	var body struct {
		Path    string `json:"path"`
		N       int    `json:"n"`
		ErrCode int    `json:"errcode"`
	}
	if err := readV1(r, &body); err != nil {
		return nil, err
	}
	if err := p.checkPath(body.Path); err != nil {
		return nil, err
	}
	switch {
	case body.N < 0 || body.N > maxFail:
		return nil, badRequest("n must be from 0 to %d", maxFail)
	case body.N > 0 && body.ErrCode == 0:
		return nil, badRequest("errcode is missing, or 0, which is no error")
	}
	p.Fail(body.Path, body.N, body.ErrCode)
	return done, nil
}

// v1Calls tells how often a path of the API was called.
func (p *Platform) v1Calls(_ http.ResponseWriter, r *http.Request) (any, error) {
	path := r.URL.Query().Get("path")
	if err := p.checkPath(path); err != nil {
		return nil, err
	}
	return map[string]int{"calls": p.Calls(path)}, nil
}

func (p *Platform) checkPath(path string) error {
	if paths := p.paths(); !slices.Contains(paths, path) {
		return badRequest("%q is no path of an API call; there are %s", sender.Clip(path, 80), strings.Join(paths, ", "))
	}
	return nil
}

// paths returns the paths of all API calls.
func (p *Platform) paths() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.calls))
}

// v1SetFaults sets all faults.
func (p *Platform) v1SetFaults(_ http.ResponseWriter, r *http.Request) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(raw) > maxForm {
		return nil, badRequest("the body is broken or longer than 64 KiB")
	}
	var f Faults
	if err := f.UnmarshalJSON(raw); err != nil {
		return nil, badRequest("%v", err)
	}
	return p.SetFaults(f), nil
}

// v1Accounts tells the accounts, without their secrets.
func (p *Platform) v1Accounts(http.ResponseWriter, *http.Request) (any, error) {
	type account struct {
		AppID      string      `json:"app_id"`
		OriginalID string      `json:"original_id"`
		Gateway    string      `json:"gateway"`
		Mode       sender.Mode `json:"mode"`
		WebDomain  string      `json:"web_domain"`
	}
	accounts := []account{}
	for _, a := range p.shown() {
		accounts = append(accounts, account{a.AppID, a.OriginalID, a.Gateway, a.Mode, a.WebDomain})
	}
	return map[string]any{"accounts": accounts}, nil
}

// v1PutAccount adds or changes an account.
func (p *Platform) v1PutAccount(w http.ResponseWriter, r *http.Request) (any, error) {
	var f accountForm
	if err := readV1(r, &f); err != nil {
		return nil, err
	}
	if err := p.Put(p.account(f), f.Gateway); err != nil {
		return nil, err
	}
	return p.v1Accounts(w, r)
}
