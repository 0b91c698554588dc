package fakewechat

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/internal/wechat"
)

//go:embed page/chat
var chatFiles embed.FS

// chatPolicy allows the page to run its own script and to show the pictures of replies, which may come from a developer's own
// server over http. Inline and foreign scripts are forbidden.
const chatPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: http: https:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// heartbeat is the interval at which an idle page gets a sign that the platform is alive.
const heartbeat = 15 * time.Second

// routeChat adds the chat page and its API to the mux.
func (p *Platform) routeChat() {
	own := http.NewCrossOriginProtection()
	files, err := fs.Sub(chatFiles, "page/chat")
	if err != nil {
		panic(err) // it is embedded
	}
	static := http.FileServerFS(files)
	p.mux.Handle("GET /{$}", withChatPolicy(static))
	p.mux.Handle("GET /fake/chat/", withChatPolicy(http.StripPrefix("/fake/chat", static)))
	p.mux.Handle("GET /fake/events", sameOrigin(http.HandlerFunc(p.serveEvents)))
	p.mux.Handle("GET /fake/lines/{id}", sameOrigin(http.HandlerFunc(p.serveLine)))
	p.mux.Handle("GET /fake/kinds", sameOrigin(http.HandlerFunc(p.serveKinds)))
	p.mux.Handle("POST /fake/xml", own.Handler(http.HandlerFunc(p.serveXML)))
	p.mux.Handle("POST /fake/lines", own.Handler(http.HandlerFunc(p.serveNewLine)))
	p.mux.Handle("POST /fake/users", own.Handler(http.HandlerFunc(p.serveNewUser)))
	p.mux.Handle("POST /fake/accounts", own.Handler(http.HandlerFunc(p.serveAccount)))
	p.mux.Handle("POST /fake/accounts/check", own.Handler(http.HandlerFunc(p.serveCheck)))
}

func withChatPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", chatPolicy)
		next.ServeHTTP(w, r)
	})
}

// sameOrigin rejects requests from pages of other sites.
func sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
			http.Error(w, "cross-origin request", http.StatusForbidden)
			return
		}
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// Close ends the live updates of open pages and the messages that they sent, waits for these messages, and writes the
// ChatFile.
func (p *Platform) Close() {
	p.stop()
	p.chat.closeWatchers()
	p.chat.working.Wait()
	if p.keeping != nil {
		<-p.keeping
		p.writeChats()
	}
}

// serveEvents serves all changes as server-sent events. The first event is "hello", with the whole state.
func (p *Platform) serveEvents(w http.ResponseWriter, r *http.Request) {
	state, events := p.chat.addWatcher(p.now())
	if events == nil {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer p.chat.removeWatcher(events)
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the server's own would end the request
	send := func(e chatEvent) bool {
		_ = control.SetWriteDeadline(time.Now().Add(2 * sender.Patience))
		_, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.name, e.data)
		return err == nil && control.Flush() == nil
	}
	state.Faults, state.Paths = p.Faults(), p.callPaths()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	watched := p.watchProblems(r.Context())
	for next, open := (chatEvent{"hello", asJSON(p.helloEvent(state))}), true; open && send(next); {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			next = chatEvent{"heartbeat", []byte("{}")}
		case problems := <-watched:
			next = chatEvent{"problems", asJSON(problems)}
		case next, open = <-events:
		}
	}
}

// helloEvent returns the state that a page starts with.
func (p *Platform) helloEvent(state chatState) any {
	return struct {
		Accounts []chatAccount `json:"accounts"`
		Failed   string        `json:"failed"`
		Patience int64         `json:"patience"` // in milliseconds
		chatState
	}{p.shownAccounts(), sender.ServiceFailed, sender.Patience.Milliseconds(), state}
}

// serveLine serves a line with its bodies and traces.
func (p *Platform) serveLine(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64) // no line has the id 0
	line := p.chat.wholeLine(id)
	if line == nil {
		writeProblem(w, http.StatusNotFound, "this line is forgotten")
		return
	}
	p.tracer.addTraces(r.Context(), line.Attempts)
	writeJSON(w, http.StatusOK, line)
}

// serveNewLine sends a message or an event. The answer comes as an event.
func (p *Platform) serveNewLine(w http.ResponseWriter, r *http.Request) {
	var input pageInput
	if problem := readJSON(w, r, &input); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	c, err := p.composeCallback(input.toUserInput(p.now()))
	switch {
	case errors.Is(err, errNoGateway):
		writeProblem(w, http.StatusNotFound, err.Error())
	case err != nil:
		writeProblem(w, http.StatusBadRequest, err.Error())
	case badUser(c.From) != "":
		writeProblem(w, http.StatusBadRequest, badUser(c.From))
	case input.needsFollower() && needsFollower(c.Callback) && c.to.followOf(c.From) == hasLeft:
		writeReason(w, http.StatusConflict, sender.Because("the user does not follow the account: follow it first"))
	case !p.chat.startSending():
		writeProblem(w, http.StatusTooManyRequests, "too many messages wait for their answers")
	default:
		id := c.addLine(p, fromUser)
		go func() {
			defer p.chat.endSending()
			_, _ = p.deliverShown(p.ctx, id, c) // its line shows the error
		}()
		writeJSON(w, http.StatusAccepted, map[string]int64{"id": id})
	}
}

// serveNewUser adds a user.
func (p *Platform) serveNewUser(w http.ResponseWriter, r *http.Request) {
	var of struct{ Account string } // an AppID
	if problem := readJSON(w, r, &of); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	acc, err := p.requireAccount(of.Account)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, p.chat.meetUser(chatUserKey{acc.settings.AppID, newOpenID()}))
}

// newOpenID returns the openid of a new user.
func newOpenID() string { return fmt.Sprintf("oFakeUser%019d", rand.Int64()) }

// showElsewhere shows a callback that another process sends in its user's chat, once for all its attempts.
func (p *Platform) showElsewhere(c sender.Callback) {
	if p.chat.recordElsewhere(c.XML) {
		(&userCallback{Callback: c, to: p.accountByOriginalID(c.To)}).addLine(p, fromElsewhere)
	}
}

// serveAnnounced records a callback that a Sender in another process is about to send.
func (p *Platform) serveAnnounced(w http.ResponseWriter, r *http.Request) {
	plain, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxBody))
	if err != nil {
		http.Error(w, "the callback cannot be read: it is broken or longer than 1 MiB", http.StatusBadRequest)
		return
	}
	c, err := sender.ReadCallback(plain)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.showElsewhere(c)
	p.RecordCallback(c)
}

// readJSON reads a call's body, or returns the error. The Content-Type keeps forms of other origins out.
func readJSON(w http.ResponseWriter, r *http.Request, to any) (problem string) {
	if r.Header.Get("Content-Type") != "application/json" {
		return "the body must be JSON, with Content-Type: application/json"
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return "the body cannot be read: it is broken or longer than 64 KiB"
	}
	return ""
}

func writeProblem(w http.ResponseWriter, status int, problem string) {
	writeJSON(w, status, map[string]string{"error": problem})
}

// writeReason is writeProblem in both languages.
func writeReason(w http.ResponseWriter, status int, why *sender.Reason) {
	writeJSON(w, status, map[string]string{"error": why.Error(), "errorZH": why.Chinese()})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body := asJSON(value)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// asJSON returns a value as WeChat writes JSON: raw UTF-8, with nothing escaped for HTML.
func asJSON(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // the values are our own structs
	}
	return bytes.TrimSpace(b.Bytes())
}
