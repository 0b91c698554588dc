package oauthsvc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc/codes"

	oauthv1 "wxgate/proto/oauth/v1"
)

// answerError says what is wrong with an answer. It never holds any of the answer.
type answerError string

func (e answerError) Error() string { return string(e) }

// unreachable returns the failure of a call that brought no answer.
func unreachable(ctx context.Context, err error) *failure {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return timedOut(describe(err))
	}
	return unavailable(describe(err))
}

func canceled() *failure {
	return &failure{code: codes.Canceled, message: "the caller gave up"}
}

func timedOut(cause error) *failure {
	return &failure{code: codes.DeadlineExceeded, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT,
		message: "WeChat's servers did not answer in time; try again", cause: cause, ofHost: true}
}

func unavailable(cause error) *failure {
	return &failure{code: codes.Unavailable, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE,
		message: "WeChat's servers could not be reached, or answered nonsense; try again, and see this service's log", cause: cause, ofHost: true}
}

// unexpected is the failure of an answer of WeChat's API that lacks what this version needs. Another host would give the
// same.
func unexpected(cause error) *failure {
	return &failure{code: codes.Unknown, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR,
		message: "WeChat's answer is not one that this version understands; see this service's log", cause: cause}
}

// describe returns what may be logged of a transport's error. The error itself may not: *url.Error holds the URL with
// its query, and others quote what the server sent, which may be the query again.
func describe(err error) error {
	var network *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var answer answerError
	var timeout net.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &network):
		return network
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(): // of a TLS handshake too
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

// understand reads an answer.
func understand(c call, data []byte) (body, *failure) {
	a, err := decode(data)
	if err != nil {
		return body{}, unavailable(err)
	}
	switch errcode, given, err := a.errcode(); {
	case err != nil:
		return body{}, unexpected(err)
	case errcode != 0:
		return body{}, refusal(c, errcode, a.text("errmsg"))
	case !given && c.confirmed():
		return body{}, unexpected(answerError("an answer without errcode"))
	}
	b := a.body()
	if name := b.missing(c); name != "" {
		return body{}, unexpected(answerError("an answer without " + name))
	}
	return b, nil
}
