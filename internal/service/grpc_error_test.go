package service

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestSpecificInfo: the name of the code alone says nothing specific.
func TestSpecificInfo(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		reason string // "": none
	}{
		"nil":              {nil, ""},
		"no status":        {errors.New("odd"), ""},
		"a status":         {status.Error(codes.NotFound, "none"), ""},
		"without a reason": {&RPCError{Code: codes.NotFound, Message: "none"}, ""},
		"with a reason":    {&RPCError{Code: codes.NotFound, Reason: "UNKNOWN_ACCOUNT", Message: "none"}, "UNKNOWN_ACCOUNT"},
		"wrapped":          {fmt.Errorf("call: %w", &RPCError{Code: codes.NotFound, Reason: "UNKNOWN_ACCOUNT"}), "UNKNOWN_ACCOUNT"},
	} {
		if got := SpecificInfo(tt.err).GetReason(); got != tt.reason {
			t.Errorf("%s: reason %q; want %q", name, got, tt.reason)
		}
	}
}
