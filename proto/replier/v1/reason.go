package replierv1

import "strings"

// Name returns the reason as google.rpc.ErrorInfo has it, such as NOT_FAILED; "" if it is unspecified.
func (x ErrorReason) Name() string {
	if x == ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(x.String(), "ERROR_REASON_")
}
