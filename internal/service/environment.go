package service

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Prefixes are what the variables of settings begin with.
var Prefixes = []string{"WECHAT_", "WXGATE_"}

// CutPrefix returns a variable's name without its prefix, and reports whether it has one of Prefixes.
func CutPrefix(name string) (rest string, ours bool) {
	for _, prefix := range Prefixes {
		if rest, ours = strings.CutPrefix(name, prefix); ours {
			return rest, true
		}
	}
	return name, false
}

// MaxSecretFile is more than any secret needs, in bytes.
const MaxSecretFile = 64 << 10

// LoadEnv prepares the environment for reading settings from it: a variable of ours that is empty counts as unset, and
// a secret NAME may come from the file that NAME_FILE names, without the newline at its end; an empty file counts as
// unset too. It returns all errors. A value in quotes is one; the variable then has the value without them, so that the
// checks of the settings find what else is wrong.
func LoadEnv(secrets ...string) error {
	var errs []error
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if _, ours := CutPrefix(name); !ours {
			continue
		}
		if inner, quoted := unquote(value); quoted {
			errs = append(errs, fmt.Errorf("%s: %s", name, quotesKept))
			value = inner
			_ = os.Setenv(name, value)
		}
		if value == "" {
			_ = os.Unsetenv(name)
		}
	}
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
	value, err := ReadRegular(file)
	if err != nil {
		return fmt.Errorf("%s_FILE: %w", name, err)
	}
	if len(value) > MaxSecretFile {
		return fmt.Errorf("%s_FILE: %s has %d bytes; no secret has more than %d", name, file, len(value), MaxSecretFile)
	}
	// An empty file counts as unset, like an empty variable: Setenv("") would not.
	secret := strings.TrimRight(string(value), "\r\n")
	if secret == "" {
		return nil
	}
	inner, quoted := unquote(secret)
	if err := os.Setenv(name, inner); err != nil {
		return fmt.Errorf("%s_FILE: %s holds a byte that no secret has", name, file)
	}
	if quoted {
		return fmt.Errorf("%s_FILE: %s: %s", name, file, quotesKept)
	}
	return nil
}

const quotesKept = "the value is in quotes; write it without them: docker run --env-file and files of secrets keep quotes"

// unquote returns what a value has inside quotes, and reports whether it begins and ends with the same quote.
func unquote(value string) (inner string, quoted bool) {
	last := len(value) - 1
	if last < 1 || value[0] != value[last] || value[0] != '"' && value[0] != '\'' {
		return value, false
	}
	return value[1:last], true
}
