package replier

import (
	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
)

// The reasons of this service's errors.
const (
	reasonInvalidRequest   = replierv1.ErrorReason_ERROR_REASON_INVALID_REQUEST
	reasonTooManyCalls     = replierv1.ErrorReason_ERROR_REASON_TOO_MANY_CALLS
	reasonRulesFailed      = replierv1.ErrorReason_ERROR_REASON_RULES_FAILED
	reasonUnknownDelivery  = replierv1.ErrorReason_ERROR_REASON_UNKNOWN_DELIVERY
	reasonNotFailed        = replierv1.ErrorReason_ERROR_REASON_NOT_FAILED
	reasonRetriedAlready   = replierv1.ErrorReason_ERROR_REASON_RETRIED_ALREADY
	reasonStoreUnreachable = replierv1.ErrorReason_ERROR_REASON_STORE_UNREACHABLE
)

// newError returns the error of a gRPC handler.
func newError(code codes.Code, reason replierv1.ErrorReason, message string) *service.RPCError {
	return &service.RPCError{Code: code, Reason: reason.Name(), Message: message}
}
