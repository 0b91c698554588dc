package service

import (
	"fmt"
	"strings"
)

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
