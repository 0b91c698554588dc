package wechatapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
)

// requestBody is the body of a POST, and knows whether net/http read any of it. A request whose body was not read cannot have
// been done: its headers announce a body that never came. That holds however the call ended: no connection, a TLS handshake
// that fails or hangs, an old connection that is dead, HTTP/2 streams that wait or are refused. A body that was read may have
// reached WeChat, even if the write failed.
type requestBody struct {
	data  []byte
	claim func() error // called once, right before the first byte is read; if it fails, none is; nil: all may be

	mu   sync.Mutex
	read bool
	err  error // why the body may not be read
}

// newRequestBody returns the body of a request. It escapes no more than JSON demands: WeChat shows users other escapes as they
// are (platform.md F.3).
func newRequestBody(r Request) (*requestBody, error) {
	b := &requestBody{claim: r.Claim}
	if r.Payload == nil {
		return b, nil
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.Payload); err != nil {
		return nil, err
	}
	b.data = data.Bytes()
	return b, nil
}

// attachTo makes this the body of a request.
func (b *requestBody) attachTo(req *http.Request) {
	req.Header.Set("Content-Type", "application/json")
	req.ContentLength = int64(len(b.data))
	req.Body, _ = b.newReader()
	req.GetBody = b.newReader
}

// errShut is why a body cannot be read after its call ended.
var errShut = errors.New("the call ended before anything of it was sent")

// beginRead claims the body if nothing of it was read yet. It returns why the body may not be read.
func (b *requestBody) beginRead() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read || b.err != nil {
		return b.err
	}
	if b.claim != nil {
		b.err = b.claim()
	}
	b.read = b.err == nil
	return b.err
}

// shut keeps the body from being read from now on. It reports whether any of it was read, and returns the error of a claim
// that failed.
func (b *requestBody) shut() (read bool, claimErr error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.read && b.err == nil {
		b.err = errShut
		return false, nil
	}
	return b.read, b.err
}

// newReader returns a reader of the whole body: net/http asks for another if it sends the request again over a new connection,
// which it does only if the server cannot have done it.
func (b *requestBody) newReader() (io.ReadCloser, error) {
	return io.NopCloser(&bodyReader{body: b, rest: bytes.NewReader(b.data)}), nil
}

// bodyReader is not one of the readers in memory that net/http knows: so net/http sends the headers before it reads from it.
type bodyReader struct {
	body *requestBody
	rest *bytes.Reader
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	if err := r.body.beginRead(); err != nil {
		return 0, err
	}
	return r.rest.Read(p)
}
