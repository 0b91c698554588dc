package service

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// CatchPanic calls f and returns its results. If f panics, it returns that as an error: in a goroutine of its own, a panic would
// end the process.
func CatchPanic[T any](f func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = PanicError(p)
		}
	}()
	return f()
}

// PanicError returns a recovered panic as an error, with its stack. It shows the value only if that is an error of the
// runtime: another value may hold a message's text.
func PanicError(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("panic: %w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("panic: a %T\n%s", value, debug.Stack())
}
