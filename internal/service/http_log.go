package service

import (
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// RequestIDHeader is the HTTP header of a request's id; in lower case it is the key in gRPC metadata.
const RequestIDHeader = "X-Request-Id"

// LogRequests wraps next. Each request gets an id and one log line, and a 500 without details if next panics. If trusted is
// true, the caller's own request id is used.
func LogRequests(log *slog.Logger, trusted bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := ""
		if trusted {
			id = r.Header.Get(RequestIDHeader)
		}
		ctx, line := withLine(r.Context(), id, peerName(r.TLS, r.RemoteAddr))
		out := &statusRecorder{ResponseWriter: w}
		out.Header().Set(RequestIDHeader, line.id)
		defer func() {
			p := recover()
			switch {
			case IsAbort(p): // on purpose: the caller gets no response
				defer panic(p)
			case p != nil:
				line.Fail(PanicError(p))
				if out.status == 0 {
					http.Error(out, "internal error", http.StatusInternalServerError)
				}
			case out.status == 0:
				out.status = http.StatusOK // what net/http sends for a handler that wrote nothing
			}
			line.writeTo(ctx, log, levelOfHTTP(out.status), "http",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", out.status),
				elapsedAttr(start))
		}()
		next.ServeHTTP(out, r.WithContext(ctx))
	})
}

// IsAbort reports whether a recovered value is http.ErrAbortHandler: a handler's order to leave the caller without a response.
func IsAbort(p any) bool {
	err, ok := p.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

func levelOfHTTP(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelError
	case status >= 400:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// statusRecorder records the status of a response; 0: not written yet.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
