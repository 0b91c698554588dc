package service

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
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

// Logger returns a logger that writes to w.
func (f LogFlags) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	file, isFile := w.(*os.File)
	if f.LogFormat == "text" || f.LogFormat == "auto" && isFile && term.IsTerminal(int(file.Fd())) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// Line is the one log line of a request. The handler adds what it learns; it is written once, at the request's end.
// It is safe for concurrent use.
type Line struct {
	id   string
	peer string

	mu    sync.Mutex
	attrs []slog.Attr
	err   error
	ended bool         // it is written, or never will be
	room  [8]slog.Attr // for attrs
}

// Add adds attributes. Never a text, a whole openid, a code, a token, a secret, a query string.
func (l *Line) Add(attrs ...slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attrs == nil {
		l.attrs = l.room[:0]
	}
	l.attrs = append(l.attrs, attrs...)
}

// Fail adds the private cause of a failure, and makes the line an error.
func (l *Line) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// take puts what another line has, and this one lacks, into it as a group; false where it has ended.
func (l *Line) take(group string, other *Line) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	news := make([]slog.Attr, 0, len(other.attrs))
	for _, a := range other.attrs {
		if !slices.ContainsFunc(l.attrs, a.Equal) {
			news = append(news, a)
		}
	}
	l.attrs = append(l.attrs, slog.Attr{Key: group, Value: slog.GroupValue(news...)})
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
	return context.WithValue(context.Background(), lineKey{}, &Line{id: RequestID(ctx), ended: true})
}

// withLine begins the line of a request from a peer; an empty or odd id is replaced by a new one.
func withLine(ctx context.Context, id, peer string) (context.Context, *Line) {
	if !validID(id) {
		var random [8]byte
		_, _ = rand.Read(random[:]) // never fails
		id = hex.EncodeToString(random[:])
	}
	l := &Line{id: id, peer: peer}
	return context.WithValue(ctx, lineKey{}, l), l
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
	attrs = append(attrs, slog.String("request_id", l.id), slog.String("peer", l.peer))
	attrs = append(attrs, l.attrs...)
	if l.err != nil {
		attrs = append(attrs, slog.String("error", l.err.Error()))
	}
	r := slog.NewRecord(time.Now(), level, msg, 0) // a Logger would look up where it is called
	r.AddAttrs(attrs...)
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
