package oauthsvc

import (
	"context"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepOutcome is as long as a code is good for (platform.md E.1).
	keepOutcome = 5 * time.Minute
	// keepState is as long as a gateway's state is good for at most.
	keepState = 10 * time.Minute
)

// exchange is how the exchange of a code ended. It is kept, so that a code is exchanged once.
type exchange struct {
	State   string       // what stands for the state that brought the code; "": there was none
	Asked   time.Time    // when WeChat was asked
	Body    *body        // nil if it failed
	Failure *keptFailure // nil if it did not
}

// keptFailure is a failure without its cause.
type keptFailure struct {
	Code    codes.Code
	Reason  oauthv1.ErrorReason
	Message string
	Errcode string
	Rid     string
}

func (f *failure) keep() *keptFailure {
	return &keptFailure{f.code, f.reason, f.message, f.errcode, f.rid}
}

func (f *keptFailure) failure() *failure {
	return &failure{code: f.Code, reason: f.Reason, message: f.Message, errcode: f.Errcode, rid: f.Rid}
}

// exchangeCode returns the token for a code: callers at the same time share one call, and later ones get what it
// brought; shared is true for all but the one who made it. A state is good for one code, and a code for the state that brought
// it first: whoever else gets hold of the code gets nothing for it.
func (s *Server) exchangeCode(ctx context.Context, a accounts.Account, code, state string) (out outcome, shared bool) {
	login := ""
	if state != "" {
		login = keyOf(a, state)
		mine := keyOf(a, code)
		owner, err := s.states.Claim(ctx, login, []byte(mine))
		if err != nil {
			return outcome{failure: failed(ctx, err)}, false
		}
		if string(owner) != mine {
			return outcome{failure: stateUsed()}, false
		}
	}
	x, shared, err := s.codes.once(ctx, a, code, func(exchange) bool { return true }, func(ctx context.Context) (exchange, error) {
		if f := s.brake.check(a); f != nil {
			return exchange{}, f
		}
		asked := time.Now()
		out := s.api.do(ctx, exchangeCall, url.Values{"appid": {a.AppID}, "secret": {a.AppSecret.Reveal()},
			"code": {code}, "grant_type": {"authorization_code"}}, nil)
		f := out.failure
		switch {
		case f == nil:
			return exchange{State: login, Asked: asked, Body: &out.body}, s.keepUser(ctx, a, out.body)
		case f.aboutCode():
			s.brake.note(a)
			return exchange{State: login, Asked: asked, Failure: f.keep()}, nil
		}
		return exchange{}, f // the code may still be good
	})
	switch {
	case err != nil:
		return outcome{failure: failed(ctx, err)}, shared
	case x.State != login:
		return outcome{failure: codeOfAnotherLogin()}, shared
	case x.Body == nil:
		return outcome{failure: x.Failure.failure()}, shared
	}
	if f := s.checkWithdrawal(ctx, a, x); f != nil {
		return outcome{failure: f}, shared
	}
	return outcome{body: *x.Body}, shared
}

// checkWithdrawal returns why a token is not given out of whose user withdrew since WeChat was asked for it, or nil.
func (s *Server) checkWithdrawal(ctx context.Context, a accounts.Account, x exchange) *failure {
	at, err := s.withdrewAt(ctx, a, x.Body.OpenID)
	if err != nil {
		return failed(ctx, err)
	}
	if at.Before(x.Asked) {
		return nil
	}
	// It may have been kept after the user was forgotten.
	if err := s.users.forgetIf(ctx, a, x.Body.OpenID, func(t userToken) bool { return t.AccessToken == x.Body.AccessToken }); err != nil {
		return failed(ctx, err)
	}
	return &failure{code: codes.InvalidArgument, reason: oauthv1.ErrorReason_ERROR_REASON_CODE_USED,
		message: "the user withdrew after this login; send the user to log in again"}
}

func stateUsed() *failure {
	return &failure{code: codes.PermissionDenied, reason: oauthv1.ErrorReason_ERROR_REASON_STATE_USED,
		message: "state: it brought another code before; send the user to log in again"}
}

func codeOfAnotherLogin() *failure {
	return &failure{code: codes.InvalidArgument, reason: oauthv1.ErrorReason_ERROR_REASON_CODE_USED,
		message: "the code came with another state before; send the user to log in again"}
}
