package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
)

// serverLog handles the log lines of net/http itself. Nearly all of them report malformed requests of strangers. A failure
// to accept connections is an error of this process, and is logged as one.
type serverLog struct{ slog.Handler }

// Enabled implements slog.Handler. It is always true: Handle decides the level of a line.
func (serverLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h serverLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "http: Accept error") {
		r.Level = slog.LevelError
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	r.Message = ClipText(r.Message, maxLogged)
	return h.Handler.Handle(ctx, r)
}

// loggedListener logs when cannot accept connections; trying again: gRPC does not. gRPC calls Accept again after a pause that grows
// to a second.
type loggedListener struct {
	net.Listener
	log *slog.Logger
}

// Accept implements net.Listener.
func (l loggedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		l.log.Error("cannot accept connections; trying again", "addr", l.Addr().String(), "error", err.Error())
	}
	return conn, err
}
