package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrUnavailable is the error of a store that is unreachable, or cannot write now. A later attempt may succeed.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrRejected is the error of a value that the store will never accept: no later attempt can succeed.
	ErrRejected = errors.New("the store rejects the value")
	// ErrTooLarge is the ErrRejected of a value that is too large.
	ErrTooLarge = fmt.Errorf("%w: it is too large", ErrRejected)
)

// classifyError wraps an error of NATS in ErrTooLarge, ErrRejected or ErrUnavailable or, if the caller's time is over, in the
// context's error.
func classifyError(ctx context.Context, err error) error {
	switch {
	case isTooLarge(err):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case isRejected(err):
		return fmt.Errorf("%w: %w", ErrRejected, err)
	case ctx.Err() == nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, ctx.Err()):
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// isTooLarge reports whether a value is larger than the server's max_payload or the stream's limit.
func isTooLarge(err error) bool {
	const size, headers = 10054, 10097
	return errors.Is(err, nats.ErrMaxPayload) || isAPIError(err, size, headers)
}

// isRejected reports whether the request itself is invalid, so that it would fail again on a healthy store.
func isRejected(err error) bool {
	for _, wrong := range []error{nats.ErrBadSubject, nats.ErrInvalidMsg, nats.ErrBadHeaderMsg, nats.ErrHeadersNotSupported, jetstream.ErrInvalidKey, jetstream.ErrInvalidOption} {
		if errors.Is(err, wrong) {
			return true
		}
	}
	const badRequest, sealed, badLife, noLives = 10003, 10109, 10165, 10166
	return isAPIError(err, badRequest, sealed, badLife, noLives)
}

// isAPIError reports whether an error is one of JetStream's with one of these codes.
func isAPIError(err error, errcodes ...jetstream.ErrorCode) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if slices.Contains(errcodes, api.ErrorCode) {
			return true
		}
	}
	return false
}

// isConflict reports whether a write was rejected because another one came first. Buckets with and without replicas report it
// differently, and nats.go does not translate it everywhere.
func isConflict(err error) bool {
	return isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
