package oauthsvc

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"wxgate/internal/store"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// failureOf returns the failure that err stands for: one of WeChat's API, or of the store. It returns nil for nil.
func failureOf(ctx context.Context, err error) *wechatapi.Failure {
	var f *wechatapi.Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, store.ErrUnavailable): // first: it may be a deadline of the store's, which is not WeChat's
		return &wechatapi.Failure{Code: codes.Unavailable, Reason: oauthv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE,
			Message: "the store of tokens is unreachable; try again, and see this service's log", Cause: err}
	case errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled):
		return wechatapi.Canceled()
	case errors.Is(err, context.DeadlineExceeded):
		return wechatapi.TimedOut(err)
	}
	return wechatapi.InternalFailure(err)
}

// failedOutcome returns the outcome of a call that err ended.
func failedOutcome(ctx context.Context, err error) wechatapi.Outcome {
	return wechatapi.Outcome{Failure: failureOf(ctx, err)}
}
