package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
)

// serverLog takes net/http's own lines. They say what strangers send wrong; that no connection can be accepted is an error
// of this process.
type serverLog struct{ slog.Handler }

// Enabled implements slog.Handler: a line's level is known when it is handled.
func (serverLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h serverLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "http: Accept error") {
		r.Level = slog.LevelError
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	r.Message = Clip(r.Message, maxLogged)
	return h.Handler.Handle(ctx, r)
}

// loggedListener logs that no connection can be accepted, which gRPC tells nobody. It is asked again after a pause, of a
// second in the end.
type loggedListener struct {
	net.Listener
	log *slog.Logger
}

// Accept implements net.Listener.
func (l loggedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		l.log.Error("a connection cannot be accepted", "addr", l.Addr().String(), "error", err.Error())
	}
	return conn, err
}
