package service

import (
	"fmt"
	"io"
	"log/slog"
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
