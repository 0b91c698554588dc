package oauthv1

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

const reasonPrefix = "ERROR_REASON_"

// Name returns the reason as it is in google.rpc.ErrorInfo, such as CODE_USED; "" if it is unspecified.
func (x ErrorReason) Name() string {
	if x == ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(x.String(), reasonPrefix)
}

// ReasonNamed returns the reason with a name as Name returns it; unspecified if there is none.
func ReasonNamed(name string) ErrorReason {
	return ErrorReason(ErrorReason_value[reasonPrefix+name])
}

// ReasonOf returns the reason in a call's error; unspecified if it has none of these reasons.
func ReasonOf(err error) ErrorReason {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return ReasonNamed(info.GetReason())
		}
	}
	return ErrorReason_ERROR_REASON_UNSPECIFIED
}
