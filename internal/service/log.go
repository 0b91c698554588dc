package service

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// LogFlags are the settings of the log.
type LogFlags struct {
	LogLevel  slog.Level `name:"log-level" env:"WXGATE_LOG_LEVEL" default:"info" help:"debug, info (one line per request), warn or error."`
	LogFormat string     `name:"log-format" env:"WXGATE_LOG_FORMAT" default:"auto" enum:"auto,text,json" help:"text, json, or auto: text on a terminal, else json."`
}

// NewEnv returns the Env of a process that logs to w, and a function to call at its end: lines are written with a small delay.
// Nothing waits for w. While w blocks, lines are dropped and counted; a line reports their number once w can be written
// again.
func (f LogFlags) NewEnv(w io.Writer) (env Env, flush func()) {
	log, out := f.openLogger(w)
	env = NewEnv(log)
	env.Registerer.MustRegister(out.dropped)
	return env, out.flushAndClose
}

// openLogger returns a logger and the writer behind it.
func (f LogFlags) openLogger(w io.Writer) (*slog.Logger, *logWriter) {
	handler := f.newHandler(w)
	out := newLogWriter(w, func(dropped int) {
		slog.New(handler(w)).Warn("log lines dropped: the log was not read fast enough", "lines", dropped)
	})
	return slog.New(handler(out)), out
}

// newHandler returns the constructor of handlers for a log that is written to w in the end.
func (f LogFlags) newHandler(w io.Writer) func(io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	file, isFile := w.(*os.File)
	if f.LogFormat == "text" || f.LogFormat == "auto" && isFile && term.IsTerminal(int(file.Fd())) {
		return func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	}
	return func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
}

// ShortOpenID returns the beginning of an openid: enough to follow a user through a log, too little to act as the openid.
func ShortOpenID(openid string) string {
	if len(openid) <= 8 {
		return "…"
	}
	return openid[:6] + "…"
}
