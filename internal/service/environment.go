package service

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Prefixes lists the prefixes of the environment variables that wxgate reads.
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

// MaxSecretFile bounds the size of a file that holds a secret, in bytes.
const MaxSecretFile = 64 << 10

// LoadEnv prepares the environment for reading settings from it. It unsets variables with one of Prefixes that are empty.
// A secret NAME may come from the file that NAME_FILE names, without the newline at its end; an empty file counts as unset.
// It returns all errors. A value in quotes is an error; LoadEnv still sets the variable to the value without them, so that
// the checks of the settings can report further errors.
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
		return fmt.Errorf("%s and %s_FILE are both set; set only one of them", name, name)
	}
	value, err := ReadRegular(file)
	if err != nil {
		return fmt.Errorf("%s_FILE: %w", name, err)
	}
	if len(value) > MaxSecretFile {
		return fmt.Errorf("%s_FILE: %s has %d bytes; a secret may have at most %d", name, file, len(value), MaxSecretFile)
	}
	// An empty file counts as unset, like an empty variable: Setenv("") would not.
	secret := strings.TrimRight(string(value), "\r\n")
	if secret == "" {
		return nil
	}
	inner, quoted := unquote(secret)
	if err := os.Setenv(name, inner); err != nil {
		return fmt.Errorf("%s_FILE: %s contains a zero byte, which a secret cannot have", name, file)
	}
	if quoted {
		return fmt.Errorf("%s_FILE: %s: %s", name, file, quotesKept)
	}
	return nil
}

const quotesKept = "the value is in quotes; remove them: docker run --env-file and secret files do not strip quotes"

// unquote returns a value without the quotes around it, and reports whether it had them.
func unquote(value string) (inner string, quoted bool) {
	last := len(value) - 1
	if last < 1 || value[0] != value[last] || value[0] != '"' && value[0] != '\'' {
		return value, false
	}
	return value[1:last], true
}
