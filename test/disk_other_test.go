//go:build !linux

package test

import "errors"

// limitFileSize cannot be done to a running process here.
func limitFileSize(int, uint64) error { return errors.ErrUnsupported }
