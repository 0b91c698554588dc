package oauthv1

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

const reasonPrefix = "ERROR_REASON_"

// Name returns the reason as google.rpc.ErrorInfo has it, such as CODE_USED; "" if it is unspecified.
func (x ErrorReason) Name() string {
	if x == ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(x.String(), reasonPrefix)
}

// ReasonNamed returns the reason of a name that Name gave; unspecified if there is none.
func ReasonNamed(name string) ErrorReason {
	return ErrorReason(ErrorReason_value[reasonPrefix+name])
}

// ReasonOf returns why a call failed; unspecified if its error does not say so by one of these reasons.
func ReasonOf(err error) ErrorReason {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return ReasonNamed(info.GetReason())
		}
	}
	return ErrorReason_ERROR_REASON_UNSPECIFIED
}
