package service

import (
	"context"
	"log/slog"
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
