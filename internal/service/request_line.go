package service

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Line is the log line of one request. Handlers add attributes to it; it is written once, at the end of the request. It is
// safe for concurrent use.
type Line struct {
	id   string
	peer string

	mu    sync.Mutex
	attrs []slog.Attr
	err   error
	ended bool // it was written, or never will be
	room  [usualAttrs]slog.Attr
}

// usualAttrs is the number of attributes that most lines have, including the line's own.
const usualAttrs = 8

// own is the number of the line's own attributes. They come first, and are set when the line is written.
const own = 2

// Add adds attributes. They must not hold a message's text, a whole openid, a code, a token, a secret or a query string.
func (l *Line) Add(attrs ...slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	for _, a := range clipAttrs(attrs) {
		l.attrs = appendAttr(l.attrs, a)
	}
}

// Fail sets the private cause of a failure, and raises the line's level to error.
func (l *Line) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// merge adds another line's attributes to this one as a group, except those that this line has too, and ends the other line.
// It reports false if this line is already written.
func (l *Line) merge(group string, other *Line) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	other.ended = true
	added := slices.DeleteFunc(other.attrs[own:], func(a slog.Attr) bool { return hasAttr(l.attrs[own:], a) })
	l.attrs = appendAttr(l.attrs, slog.Attr{Key: group, Value: slog.GroupValue(added...)})
	if l.err == nil {
		l.err = other.err
	}
	return true
}

// identify adds the name of the peer's key, "" if it has none. The name replaces an address, and is added to a certificate.
func (l *Line) identify(name string) {
	switch {
	case name == "":
	case strings.HasPrefix(l.peer, "cert:"):
		l.peer += " " + name
	default:
		l.peer = name
	}
}

type lineKey struct{}

// LineOf returns the line of the request; outside a request, a line that is never written.
func LineOf(ctx context.Context) *Line {
	if l, ok := ctx.Value(lineKey{}).(*Line); ok {
		return l
	}
	return &Line{ended: true}
}

// RequestID returns the id that a request has in all services; "" outside a request.
func RequestID(ctx context.Context) string { return LineOf(ctx).id }

// DetachContext returns a context for work that outlives the request: it is never cancelled, and of the request it carries only
// the id, which calls send on.
func DetachContext(ctx context.Context) context.Context {
	return &lineContext{Context: context.Background(), line: Line{id: RequestID(ctx), ended: true}}
}

// lineContext is a context that holds a line.
type lineContext struct {
	context.Context
	line Line
}

// Value implements context.Context.
func (c *lineContext) Value(key any) any {
	if key == (lineKey{}) {
		return &c.line
	}
	return c.Context.Value(key)
}

// withLine begins the line of a request from a peer. If id is empty or invalid, the request gets a new one.
func withLine(ctx context.Context, id, peer string) (context.Context, *Line) {
	if !validID(id) {
		id = newID()
	}
	c := &lineContext{Context: ctx, line: Line{id: id, peer: peer}}
	c.line.attrs = append(c.line.room[:0], slog.Attr{Key: requestIDKey}, slog.Attr{Key: peerKey})
	return c, &c.line
}

// newID returns a random id. It is not a secret.
func newID() string {
	var id [16]byte
	hex.Encode(id[:], binary.BigEndian.AppendUint64(nil, rand.Uint64()))
	return string(id[:])
}

func validID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

func (l *Line) writeTo(ctx context.Context, log *slog.Logger, level slog.Level, msg string, attrs ...slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.err != nil {
		level = max(level, slog.LevelError)
	}
	if !log.Enabled(ctx, level) {
		return
	}
	l.attrs[0], l.attrs[1] = slog.String(requestIDKey, l.id), slog.String(peerKey, l.peer)
	if l.err != nil {
		l.attrs = appendAttr(l.attrs, slog.String("error", l.err.Error()))
	}
	l.attrs = exceptKeys(l.attrs, attrs)
	r := slog.NewRecord(time.Now(), level, msg, 0) // a Logger would look up its caller's source line
	r.AddAttrs(clipAttrs(attrs)...)
	r.AddAttrs(slog.Attr{Value: slog.GroupValue(l.attrs...)}) // a group without a name is inlined; a Record has room for 5 attributes
	_ = log.Handler().Handle(ctx, r)
}

// elapsedAttr returns the time since start as an attribute, in milliseconds.
func elapsedAttr(start time.Time) slog.Attr {
	return slog.Float64("ms", float64(time.Since(start).Microseconds())/1000)
}
