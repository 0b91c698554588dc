package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"wxgate/internal/wechat"
)

// firstRead is the memory allocated for a body before any of it arrives, in bytes. Most callbacks fit into it.
const firstRead = 4 << 10

var tooLarge = &refusal{status: http.StatusRequestEntityTooLarge, outcome: refusedSize, detail: fmt.Sprintf("a callback has at most %d bytes", wechat.MaxBody)}

// readBody reads a callback's body, of at most wechat.MaxBody bytes. It allocates memory for the bytes that arrive, not for the
// Content-Length, which a stranger can choose.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > wechat.MaxBody {
		return nil, tooLarge
	}
	size := r.ContentLength
	if size < 0 || size > firstRead { // -1: not announced
		size = firstRead
	}
	body := make([]byte, 0, size+1) // one byte more: the read that returns io.EOF needs space
	limited := http.MaxBytesReader(w, r.Body, wechat.MaxBody)
	for {
		n, err := limited.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var over *http.MaxBytesError
		switch {
		case err == io.EOF:
			return body, nil
		case errors.As(err, &over):
			return nil, tooLarge
		case err != nil:
			return nil, badRequest(refusedBody, "the body ended early")
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
}
