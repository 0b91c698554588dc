package service

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Secret is a setting that is never printed: not by fmt, slog or encoders.
type Secret string

const hidden = "[hidden]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format hides the secret from fmt with any verb: without it, %d would print what is no number.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return hidden }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from encoders: slog's JSON handler uses them for nested structs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// maxSecretFile is more than any secret needs, in bytes.
const maxSecretFile = 64 << 10

// LoadEnv prepares the environment for reading settings from it: a variable of ours that is empty counts as unset, and
// a secret NAME may come from the file that NAME_FILE names, without the newline at its end; an empty file counts as
// unset too. It returns all errors.
func LoadEnv(secrets ...string) error {
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if value == "" && (strings.HasPrefix(name, "WECHAT_") || strings.HasPrefix(name, "WXGATE_")) {
			_ = os.Unsetenv(name)
		}
	}
	var errs []error
	for _, name := range secrets {
		errs = append(errs, loadSecret(name))
	}
	return errors.Join(errs...)
}

func loadSecret(name string) error {
	file := os.Getenv(name + "_FILE")
	if file == "" {
		return nil
	}
	if os.Getenv(name) != "" {
		return fmt.Errorf("%s and %s_FILE are both set; give one", name, name)
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("%s_FILE: %w", name, err)
	}
	if info.IsDir() || info.Size() > maxSecretFile {
		return fmt.Errorf("%s_FILE: %s is no file with a secret", name, file)
	}
	value, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s_FILE: %w", name, err)
	}
	// An empty file counts as unset, like an empty variable: Setenv("") would not.
	secret := strings.TrimRight(string(value), "\r\n")
	if secret == "" {
		return nil
	}
	if err := os.Setenv(name, secret); err != nil {
		return fmt.Errorf("%s_FILE: %s holds a byte that no secret has", name, file)
	}
	return nil
}
