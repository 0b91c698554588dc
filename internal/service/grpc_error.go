package service

import (
	"cmp"
	"context"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// RPCError is the error of a gRPC handler. Callers see everything except the cause. Reason and metadata are sent as
// google.rpc.ErrorInfo.
type RPCError struct {
	Code     codes.Code
	Reason   string // from a fixed set; "": the name of the code, such as UNAVAILABLE
	Message  string
	Metadata map[string]string
	Cause    error // only for the log; may be nil
}

// errorDomain is the domain of reasons in google.rpc.ErrorInfo.
const errorDomain = "wxgate"

// Error implements error.
func (e *RPCError) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *RPCError) Unwrap() error { return e.Cause }

// GRPCStatus returns the status that callers see.
func (e *RPCError) GRPCStatus() *status.Status {
	info := &errdetails.ErrorInfo{Reason: cmp.Or(e.Reason, codeName(e.Code)), Domain: errorDomain, Metadata: e.Metadata}
	st, err := status.New(e.Code, e.Message).WithDetails(info)
	if err != nil { // the code is OK
		return status.New(e.Code, e.Message)
	}
	return st
}

// withReason adds the reason of its code to an error without details.
func withReason(err error) error {
	if err == nil {
		return nil
	}
	st := asStatus(err)
	if len(st.Details()) > 0 {
		return err
	}
	return &RPCError{Code: st.Code(), Message: st.Message()}
}

// explainUnary makes sure that each error of a call has a reason.
func explainUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	return resp, withReason(err)
}

// explainStream is explainUnary for streams.
func explainStream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return withReason(handler(srv, s))
}

// SpecificInfo returns the ErrorInfo of a failed call, or nil if its reason is only the name of the code.
func SpecificInfo(err error) *errdetails.ErrorInfo {
	st := status.Convert(err)
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() != codeName(st.Code()) {
			return info
		}
	}
	return nil
}

// codeName returns the name of a code as in gRPC's documents, such as NOT_FOUND.
func codeName(c codes.Code) string { return code.Code(c).String() }
