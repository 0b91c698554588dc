package service

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// LogFlags are the settings of the log.
type LogFlags struct {
	LogLevel  slog.Level `name:"log-level" env:"WXGATE_LOG_LEVEL" default:"info" help:"debug, info (one line per request), warn or error."`
	LogFormat string     `name:"log-format" env:"WXGATE_LOG_FORMAT" default:"auto" enum:"auto,text,json" help:"text, json, or auto: text on a terminal, else json."`
}

// NewEnv returns the Env of a process that logs to w, and what is to be called at its end: lines are written a moment after
// they were made. Nothing waits for w. If it takes no more, lines are dropped and counted; a line says so when it takes
// some again.
func (f LogFlags) NewEnv(w io.Writer) (env Env, flush func()) {
	log, out := f.open(w)
	env = NewEnv(log)
	env.Registerer.MustRegister(out.dropped)
	return env, out.close
}

// open returns a logger, and what it writes to.
func (f LogFlags) open(w io.Writer) (*slog.Logger, *logWriter) {
	handler := f.handler(w)
	out := newLogWriter(w, func(dropped int) {
		slog.New(handler(w)).Warn("log lines dropped: nobody read them in time", "lines", dropped)
	})
	return slog.New(handler(out)), out
}

// handler returns what makes handlers for a log that ends up in w.
func (f LogFlags) handler(w io.Writer) func(io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	file, isFile := w.(*os.File)
	if f.LogFormat == "text" || f.LogFormat == "auto" && isFile && term.IsTerminal(int(file.Fd())) {
		return func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	}
	return func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
}

// Line is the one log line of a request. The handler adds what it learns; it is written once, at the request's end.
// It is safe for concurrent use.
type Line struct {
	id   string
	peer string

	mu    sync.Mutex
	attrs []slog.Attr
	err   error
	ended bool // it is written, or never will be
	room  [usualAttrs]slog.Attr
}

// usualAttrs is how many attributes most lines have, those of the line itself included.
const usualAttrs = 8

// own is how many attributes stand first in a line and are its own: they are known at its end.
const own = 2

// Add adds attributes. Never a text, a whole openid, a code, a token, a secret, a query string.
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

// Fail adds the private cause of a failure, and makes the line an error.
func (l *Line) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// merge adds another line's attributes to this one as a group, without those that this line has too, and ends the other.
// It reports false if this line has ended.
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

// showed adds to the peer what it showed of itself besides; "" for nothing. A key says more than an address.
func (l *Line) showed(name string) {
	switch {
	case name == "":
	case strings.HasPrefix(l.peer, "cert:"):
		l.peer += " " + name
	default:
		l.peer = name
	}
}

type lineKey struct{}

// LineOf returns the request's line; one that is never written outside a request.
func LineOf(ctx context.Context) *Line {
	if l, ok := ctx.Value(lineKey{}).(*Line); ok {
		return l
	}
	return &Line{ended: true}
}

// RequestID returns the id that a request keeps through all services; "" outside a request.
func RequestID(ctx context.Context) string { return LineOf(ctx).id }

// Detach returns a context for what goes on behind a request's end: it ends never, and has nothing of the request but its
// id, which calls take along.
func Detach(ctx context.Context) context.Context {
	return &lined{Context: context.Background(), line: Line{id: RequestID(ctx), ended: true}}
}

// lined is a context with a line.
type lined struct {
	context.Context
	line Line
}

// Value implements context.Context.
func (c *lined) Value(key any) any {
	if key == (lineKey{}) {
		return &c.line
	}
	return c.Context.Value(key)
}

// withLine begins the line of a request from a peer; an empty or odd id is replaced by a new one.
func withLine(ctx context.Context, id, peer string) (context.Context, *Line) {
	if !validID(id) {
		id = newID()
	}
	c := &lined{Context: ctx, line: Line{id: id, peer: peer}}
	c.line.attrs = append(c.line.room[:0], slog.Attr{Key: requestIDKey}, slog.Attr{Key: peerKey})
	return c, &c.line
}

// newID returns an id that no other request has, as far as chance goes. It is no secret.
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

func (l *Line) write(ctx context.Context, log *slog.Logger, level slog.Level, msg string, attrs ...slog.Attr) {
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
	r := slog.NewRecord(time.Now(), level, msg, 0) // a Logger would look up where it is called
	r.AddAttrs(clipAttrs(attrs)...)
	r.AddAttrs(slog.Attr{Value: slog.GroupValue(l.attrs...)}) // a group without a name is none; a Record has room for 5
	_ = log.Handler().Handle(ctx, r)
}

// took returns the time since start, in milliseconds.
func took(start time.Time) slog.Attr {
	return slog.Float64("ms", float64(time.Since(start).Microseconds())/1000)
}

// Short returns the beginning of an openid, enough to follow a user through a log and too little to be one.
func Short(openid string) string {
	if len(openid) <= 8 {
		return "…"
	}
	return openid[:6] + "…"
}

// PanicError describes a recovered panic. It shows a value only where the runtime made it: another may hold a
// message's text.
func PanicError(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("panic: %w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("panic: a %T\n%s", value, debug.Stack())
}
