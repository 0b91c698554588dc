package service

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLogFlags(t *testing.T) {
	const text, json = "level=WARN msg=hello key=value", `"level":"WARN","msg":"hello","key":"value"}`
	for _, tt := range []struct {
		name  string
		flags LogFlags
		want  string // "": nothing
	}{
		{"text", LogFlags{LogFormat: "text"}, text},
		{"json", LogFlags{LogFormat: "json"}, json},
		{"auto, no terminal", LogFlags{LogFormat: "auto"}, json},
		{"level reached", LogFlags{LogFormat: "json", LogLevel: slog.LevelWarn}, json},
		{"level not reached", LogFlags{LogFormat: "json", LogLevel: slog.LevelError}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logBuffer{}
			env, flush := tt.flags.NewEnv(log)
			env.Log.Warn("hello", "key", "value")
			flush()
			if got := log.String(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("auto, a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		env, flush := LogFlags{LogFormat: "auto"}.NewEnv(f)
		env.Log.Warn("hello", "key", "value")
		flush()
		if got, err := os.ReadFile(path); err != nil || !strings.Contains(string(got), json) {
			t.Errorf("got %q, %v; want %s", got, err, json)
		}
	})
}

func TestShort(t *testing.T) {
	for openid, want := range map[string]string{
		"":                             "…",
		"oABCDEFG":                     "…",
		"oABCDEFGH":                    "oABCDE…",
		"oABCDEF1234567890abcdefghijk": "oABCDE…",
	} {
		if got := ShortOpenID(openid); got != want {
			t.Errorf("Short(%q) = %q, want %q", openid, got, want)
		}
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"":                       false,
		"a":                      true,
		"0aZ-9":                  true,
		strings.Repeat("a", 64):  true,
		strings.Repeat("a", 65):  false,
		"a b":                    false,
		"a\nb":                   false,
		"ü":                      false,
		"a_b":                    false,
		`"}`:                     false,
		"a\x00":                  false,
		"日":                      false,
		"@[`{/:":                 false,
		"1234-5678-90ab-cdef-ff": true,
	} {
		if got := validID(id); got != want {
			t.Errorf("validID(%q) = %t, want %t", id, got, want)
		}
	}
}

// TestLine: what a handler adds is in the line; outside a request it goes nowhere.
func TestLine(t *testing.T) {
	ctx, _ := withLine(t.Context(), "id-1", "")
	if LineOf(ctx).Add(slog.String("rule", "echo")); RequestID(ctx) != "id-1" {
		t.Errorf("request id %q, want id-1", RequestID(ctx))
	}
	log := &logBuffer{}
	LineOf(ctx).writeTo(ctx, log.logger(), slog.LevelInfo, "done", slog.Int("status", 200))
	if got := log.line(t, "done"); got["level"] != "INFO" || got["rule"] != "echo" || got["status"] != 200.0 ||
		got["request_id"] != "id-1" || got["error"] != nil {
		t.Errorf("got %v", got)
	}
	LineOf(ctx).Fail(errors.New("cause"))
	LineOf(ctx).writeTo(ctx, log.logger(), slog.LevelInfo, "failed")
	if got := log.line(t, "failed"); got["level"] != "ERROR" || got["error"] != "cause" {
		t.Errorf("got %v", got)
	}
	LineOf(t.Context()).Add(slog.String("lost", "x"))
	if id := RequestID(t.Context()); id != "" || len(LineOf(t.Context()).attrs) > 0 {
		t.Errorf("outside a request: id %q", id)
	}
}

// TestPanicError: it shows what the runtime says and hides what somebody panicked with.
func TestPanicError(t *testing.T) {
	const text = "the user's text"
	recovered := func(f func()) (value any) {
		defer func() { value = recover() }()
		f()
		return nil
	}
	index := len(text)
	for _, tt := range []struct {
		name  string
		panic func()
		want  string
	}{
		{"string", func() { panic(text) }, "panic: a string\n"},
		{"error", func() { panic(errors.New(text)) }, "panic: a *errors.errorString\n"},
		{"struct", func() { panic(struct{ Text string }{text}) }, "panic: a struct { Text string }\n"},
		{"index", func() { _ = []byte("abc")[index] }, "panic: runtime error: index out of range [15] with length 3\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := PanicError(recovered(tt.panic)).Error()
			if !strings.HasPrefix(got, tt.want) || strings.Contains(got, text) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
			if !strings.Contains(got, "log_test.go:") {
				t.Errorf("no stack in %s", got)
			}
		})
	}
}

// TestDetach: what goes on behind a request keeps its id, and neither its end nor its line.
func TestDetach(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ctx, line := withLine(ctx, "id-1", "peer")
	detached := DetachContext(ctx)
	cancel()
	if detached.Err() != nil || RequestID(detached) != "id-1" {
		t.Errorf("%v, id %q", detached.Err(), RequestID(detached))
	}
	LineOf(detached).Add(slog.String("late", "word"))
	if len(line.attrs) != own {
		t.Error("it writes into the request's line")
	}
}
