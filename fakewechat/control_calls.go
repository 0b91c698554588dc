package fakewechat

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// attemptAnswer is an Attempt in JSON.
type attemptAnswer struct {
	Attempt int       `json:"attempt"`
	Copy    bool      `json:"copy"`
	At      time.Time `json:"at"`
	TookMS  float64   `json:"took_ms"`
	Faults  []string  `json:"faults"`
	Status  int       `json:"status,omitempty"`
	Error   string    `json:"error,omitempty"`
	Refused []string  `json:"refused"`
}

type deliveryAnswer struct {
	Attempts []attemptAnswer   `json:"attempts"`
	Reply    map[string]string `json:"reply"`
	XML      string            `json:"xml"`
	Refused  []string          `json:"refused"`
	Warnings []string          `json:"warnings"`
	Hidden   bool              `json:"hidden"`
	Shown    string            `json:"shown"`
}

// controlSend sends a callback, and answers when its delivery is complete.
func (p *Platform) controlSend(w http.ResponseWriter, r *http.Request) (any, error) {
	var body struct {
		Account string          `json:"account"` // AppID
		Kind    string          `json:"kind"`
		Args    []string        `json:"args"`
		From    string          `json:"from"`
		Message json.RawMessage `json:"message"`
		XML     string          `json:"xml"`
	}
	if err := readControlBody(r, &body); err != nil {
		return nil, err
	}
	if len(body.From) > maxOpenID {
		return nil, badRequest("from is longer than %d bytes", maxOpenID)
	}
	if body.XML == "" {
		body.From = cmp.Or(body.From, sender.User)
	}
	longAnswer(w)
	d, err := p.sendShown(r.Context(), userInput{body.Account, body.From, body.Kind, body.Args, body.Message, body.XML})
	switch {
	case errors.Is(err, errNoGateway):
		return nil, &controlError{http.StatusNotFound, err.Error()}
	case err != nil:
		return nil, badRequest("%v", err)
	}
	return d.controlAnswer(), nil
}

func (d *Delivery) controlAnswer() deliveryAnswer {
	answer := deliveryAnswer{Attempts: []attemptAnswer{}, Reply: d.Reply(), Refused: nonNilTexts(d.Refused), Warnings: []string{}}
	for _, a := range d.Attempts {
		v := attemptAnswer{Attempt: a.Number, Copy: a.Copy, At: a.At, TookMS: float64(a.Took.Microseconds()) / 1000, Faults: nonNilTexts(a.Faults), Refused: []string{}}
		if a.Err != nil {
			v.Error = a.Err.Error()
		} else {
			v.Status, v.Refused = a.Result.Status, nonNilTexts(a.Result.Refused)
		}
		answer.Attempts = append(answer.Attempts, v)
	}
	if d.Answer != nil {
		answer.XML, answer.Warnings, answer.Hidden = string(d.Answer.XML), nonNilTexts(d.Answer.Warnings), d.Answer.Hidden
	}
	if len(d.Refused) > 0 {
		answer.Shown = sender.ServiceFailed
	}
	return answer
}

// nonNilTexts returns a list that is never null in JSON.
func nonNilTexts(texts []string) []string { return append([]string{}, texts...) }

// fieldValues returns the values of fields by their names.
func fieldValues(fields []sender.Field) map[string]string {
	values := map[string]string{}
	for _, f := range fields {
		values[f.Name] = f.Value
	}
	return values
}

// controlSent answers with the customer-service messages that a user got.
func (p *Platform) controlSent(_ http.ResponseWriter, r *http.Request) (any, error) {
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
		messages = append(messages, message{m.At, m.Type, m.Account, m.AppID, fieldValues(m.Fields)})
	}
	return map[string]any{"messages": messages}, nil
}

var actions = map[string]Action{
	"wrote": Wrote, "tapped": Tapped, "followed": Followed, "scanned": Scanned, "paid": Paid, "unfollowed": Unfollowed,
}

// controlActions records an action of a user.
func (p *Platform) controlActions(_ http.ResponseWriter, r *http.Request) (any, error) {
	var body struct {
		Action string `json:"action"`
	}
	if err := readControlBody(r, &body); err != nil {
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

// controlFail makes calls of the API fail.
func (p *Platform) controlFail(_ http.ResponseWriter, r *http.Request) (any, error) {
	var body struct {
		Path    string `json:"path"`
		N       int    `json:"n"`
		ErrCode int    `json:"errcode"`
	}
	if err := readControlBody(r, &body); err != nil {
		return nil, err
	}
	if err := p.checkPath(body.Path); err != nil {
		return nil, err
	}
	switch {
	case body.N < 0 || body.N > maxFail:
		return nil, badRequest("n must be from 0 to %d", maxFail)
	case body.N > 0 && body.ErrCode == 0:
		return nil, badRequest("errcode is missing or 0")
	}
	p.Fail(body.Path, body.N, body.ErrCode)
	return done, nil
}

// controlCalls answers with the number of calls of an API path.
func (p *Platform) controlCalls(_ http.ResponseWriter, r *http.Request) (any, error) {
	path := r.URL.Query().Get("path")
	if err := p.checkPath(path); err != nil {
		return nil, err
	}
	return map[string]int{"calls": p.Calls(path)}, nil
}

func (p *Platform) checkPath(path string) error {
	if paths := p.callPaths(); !slices.Contains(paths, path) {
		return badRequest("%q is not the path of an API call; there are %s", sender.Clip(path, 80), strings.Join(paths, ", "))
	}
	return nil
}

// callPaths returns the paths of all API calls.
func (p *Platform) callPaths() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.calls))
}

// controlSetFaults sets all faults.
func (p *Platform) controlSetFaults(_ http.ResponseWriter, r *http.Request) (any, error) {
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

// controlAccounts answers with the accounts, without their secrets.
func (p *Platform) controlAccounts(http.ResponseWriter, *http.Request) (any, error) {
	type account struct {
		AppID      string      `json:"app_id"`
		OriginalID string      `json:"original_id"`
		Gateway    string      `json:"gateway"`
		Mode       sender.Mode `json:"mode"`
		WebDomain  string      `json:"web_domain"`
	}
	accounts := []account{}
	for _, a := range p.shownAccounts() {
		accounts = append(accounts, account{a.AppID, a.OriginalID, a.Gateway, a.Mode, a.WebDomain})
	}
	return map[string]any{"accounts": accounts}, nil
}

// controlPutAccount adds or changes an account.
func (p *Platform) controlPutAccount(w http.ResponseWriter, r *http.Request) (any, error) {
	var f accountForm
	if err := readControlBody(r, &f); err != nil {
		return nil, err
	}
	if err := p.Put(p.accountFromForm(f), f.Gateway); err != nil {
		return nil, err
	}
	return p.controlAccounts(w, r)
}
