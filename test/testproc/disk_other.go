//go:build !linux

package testproc

import "errors"

// LimitFileSize cannot be done to a running process here.
func LimitFileSize(int, uint64) error { return errors.ErrUnsupported }
