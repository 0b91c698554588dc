package service

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Secret is a setting that is never printed: not by fmt, slog or encoders.
type Secret string

const hidden = "[hidden]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format hides the secret from all verbs of fmt: without it, %d would print the secret in its error text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return hidden }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from encoders: slog's JSON handler uses them for nested structs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// SettingError says why a setting cannot be used.
type SettingError struct {
	Setting string // its name in words, such as "reply timeout"; the flag is made of the same words: --reply-timeout
	Err     error  // one line for each problem
}

// BadSetting returns a SettingError.
func BadSetting(setting, format string, args ...any) error {
	return &SettingError{setting, fmt.Errorf(format, args...)}
}

// Error returns a line for each problem.
func (e *SettingError) Error() string { return e.Describe(e.Setting) }

// Describe returns the error under another name of the setting, such as that of its flag.
func (e *SettingError) Describe(name string) string {
	return name + ": " + strings.ReplaceAll(e.Err.Error(), "\n", "\n"+name+": ")
}

// Unwrap returns Err.
func (e *SettingError) Unwrap() error { return e.Err }
