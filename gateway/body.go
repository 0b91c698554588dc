package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"wxgate/internal/wechat"
)

// firstRead is how many bytes are allocated for a body before any of it arrived: most callbacks fit.
const firstRead = 4 << 10

var tooLarge = &refusal{status: http.StatusRequestEntityTooLarge, reason: "size", detail: fmt.Sprintf("a callback has at most %d bytes", wechat.MaxBody)}

// readBody reads a callback's body, at most wechat.MaxBody bytes. Its memory grows with the bytes that arrive, not with
// the length that a stranger announces.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > wechat.MaxBody {
		return nil, tooLarge
	}
	size := r.ContentLength
	if size < 0 || size > firstRead { // -1: not announced
		size = firstRead
	}
	body := make([]byte, 0, size+1) // one byte more, so that the end is read without growing
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
			return nil, bad("body", "the body ended early")
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
}
