package service

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// errorLog returns what net/http writes its own lines to. It says what strangers send wrong, at a level; that no
// connection can be accepted is an error of this process.
func errorLog(to *slog.Logger, level slog.Level) *log.Logger {
	return log.New(serverLog{to, level}, "", 0)
}

type serverLog struct {
	to    *slog.Logger
	level slog.Level
}

// Write implements io.Writer, for one line.
func (l serverLog) Write(line []byte) (int, error) {
	level := l.level
	if bytes.HasPrefix(line, []byte("http: Accept error")) {
		level = slog.LevelError
	}
	l.to.Log(context.Background(), level, Clip(string(bytes.TrimSpace(line)), maxLogged))
	return len(line), nil
}
