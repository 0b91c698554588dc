package wechatapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Failure is why a call failed. As JSON it has all that outlives the call.
type Failure struct {
	Code    codes.Code
	Reason  oauthv1.ErrorReason
	Message string // for the caller, with advice
	Errcode string // WeChat's; "" if it gave none
	RID     string `json:"Rid"` // WeChat's id of the request; "" if it gave none
	Cause   error  `json:"-"`   // for the log; may be nil

	MaybeSent  bool          `json:"-"` // it is not known whether WeChat did the call
	RetryAfter time.Duration `json:"-"` // when to try again; 0: at once, or never

	ofHost bool // the host did not answer as WeChat's API does: another host may
	unsent bool // nothing of the request's body was sent: WeChat cannot have done the call
}

// Error implements error.
func (f *Failure) Error() string { return f.Message }

// RPCError returns the failure as the error of a gRPC handler.
func (f *Failure) RPCError() error {
	meta := map[string]string{}
	if f.Errcode != "" {
		meta["errcode"] = f.Errcode
	}
	if f.RID != "" {
		meta["rid"] = f.RID
	}
	if f.MaybeSent {
		meta["maybe_sent"] = "true"
	}
	if f.RetryAfter > 0 {
		meta["retry_after_ms"] = strconv.FormatInt(f.RetryAfter.Milliseconds(), 10)
	}
	return &service.RPCError{Code: f.Code, Reason: f.Reason.Name(), Message: f.Message, Metadata: meta, Cause: f.Cause}
}

// IsAboutCode reports whether WeChat refused the code itself, so that asking again with it is useless.
func (f *Failure) IsAboutCode() bool {
	switch f.Reason {
	case oauthv1.ErrorReason_ERROR_REASON_CODE_USED, oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID,
		oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED:
		return true
	}
	return false
}

// IsAboutToken reports whether WeChat refused an access token that another one could replace.
func (f *Failure) IsAboutToken() bool {
	return f.Reason == oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED || f.Reason == oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID
}

// InvalidRequest returns the error of a wrong request. Its message names the field and the expected form, and never holds the
// value.
func InvalidRequest(message string) error {
	const reason = oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST
	return &service.RPCError{Code: codes.InvalidArgument, Reason: reason.Name(), Message: message}
}

// Canceled is the failure of a call that its caller gave up.
func Canceled() *Failure {
	return &Failure{Code: codes.Canceled, Message: "the caller gave up"}
}

// TimedOut is the failure of a call that took too long.
func TimedOut(cause error) *Failure {
	return &Failure{Code: codes.DeadlineExceeded, Reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT,
		Message: "WeChat's servers did not answer in time; try again", Cause: cause, ofHost: true}
}

// UnexpectedAnswer is the failure of a call if its answer lacks something that this version needs. Another host would give the
// same answer. The cause must not hold any of the answer.
func UnexpectedAnswer(cause error) *Failure {
	return &Failure{Code: codes.Unknown, Reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR,
		Message: "this version does not understand WeChat's answer; see this service's log", Cause: cause}
}

// InternalFailure is the failure of a call that this process could not make.
func InternalFailure(cause error) *Failure {
	return &Failure{Code: codes.Internal, Message: "internal error", Cause: cause}
}

func unavailable(cause error) *Failure {
	return &Failure{Code: codes.Unavailable, Reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE,
		Message: "WeChat's servers are unreachable, or gave an unreadable answer; try again, and see this service's log", Cause: cause, ofHost: true}
}

// unreachable returns the failure of a call that got no answer.
func unreachable(ctx context.Context, err error) *Failure {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return Canceled()
	case isTimeout(err):
		return TimedOut(redactError(err))
	}
	return unavailable(redactError(err))
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// answerError describes the fault of an answer, and never holds any of the answer.
type answerError string

func (e answerError) Error() string { return string(e) }

// redactError returns the part of a transport's error that may be logged. The error itself may not: *url.Error holds the URL
// with its query, and others quote the server, which may have sent the query back.
func redactError(err error) error {
	var network *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var answer answerError
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &network):
		return network
	case isTimeout(err): // of a TLS handshake too
		return context.DeadlineExceeded
	case errors.As(err, &name):
		return name
	case errors.As(err, &certificate):
		return certificate
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return answerError("the connection ended before the answer did")
	}
	return answerError("a broken HTTP answer")
}
