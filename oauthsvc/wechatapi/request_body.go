package oauthsvc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
)

// bodyGate is the body of a POST, and knows whether any of it was handed out for writing. A request whose body was not
// handed out cannot have been done: its headers announce a body that never came. That holds however the call ended: no
// connection, a TLS handshake that fails or hangs, a connection of before that is dead, HTTP/2 streams that wait or are
// refused. What was handed out may have reached WeChat, even if the write failed.
type bodyGate struct {
	data  []byte
	claim func() error // called once, right before the first byte is handed out; with an error none is; nil: all may be

	mu     sync.Mutex
	opened bool
	err    error // why nothing is handed out
}

// newGate returns the gate of a request's payload. WeChat shows users what is escaped in JSON as it is (platform.md F.3).
func newGate(r apiRequest) (*bodyGate, error) {
	g := &bodyGate{claim: r.claim}
	if r.payload == nil {
		return g, nil
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.payload); err != nil {
		return nil, err
	}
	g.data = data.Bytes()
	return g, nil
}

// attach makes a request a POST of the body.
func (g *bodyGate) attach(req *http.Request) {
	req.Method = http.MethodPost
	req.Header.Set("Content-Type", "application/json")
	req.ContentLength = int64(len(g.data))
	req.Body, _ = g.body()
	req.GetBody = g.body
}

// errShut is why a body is not handed out after its call ended.
var errShut = errors.New("the call ended before anything of it was sent")

// open reports, by its error, whether the body may be handed out.
func (g *bodyGate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened || g.err != nil {
		return g.err
	}
	if g.claim != nil {
		g.err = g.claim()
	}
	g.opened = g.err == nil
	return g.err
}

// shut keeps the body from being handed out from now on. It reports whether it was before, and why it was not, if its claim
// failed.
func (g *bodyGate) shut() (opened bool, refused error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.opened && g.err == nil {
		g.err = errShut
		return false, nil
	}
	return g.opened, g.err
}

// body returns a reader of the whole body: net/http asks for another if it sends the request again over a new connection,
// which it does only if the server cannot have done it.
func (g *bodyGate) body() (io.ReadCloser, error) {
	return io.NopCloser(&gatedReader{gate: g, rest: bytes.NewReader(g.data)}), nil
}

// gatedReader is not one of the readers in memory that net/http knows: so net/http sends the headers before it reads from it.
type gatedReader struct {
	gate *bodyGate
	rest *bytes.Reader
}

// Read implements io.Reader.
func (r *gatedReader) Read(p []byte) (int, error) {
	if err := r.gate.open(); err != nil {
		return 0, err
	}
	return r.rest.Read(p)
}
