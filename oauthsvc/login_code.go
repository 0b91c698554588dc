package oauthsvc

import (
	"context"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepExchange is as long as a code is valid (platform.md E.1).
	keepExchange = 5 * time.Minute
	// keepState is as long as a gateway's state is valid at most.
	keepState = 10 * time.Minute
)

// codeExchange is how the exchange of a code ended. It is kept, so that a code is exchanged once.
type codeExchange struct {
	State   string             // stands for the state that brought the code; "": there was none
	Asked   time.Time          // when WeChat was asked
	Answer  wechatapi.Answer   `json:"Body"` // nil if it failed
	Failure *wechatapi.Failure // nil if it did not
}

// exchangeCode returns the token for a code. Concurrent callers share one call of WeChat, and later callers get its outcome;
// shared is false only for the caller that made the call. A state is valid for one code, and a code for the state that came
// with it first: a thief of the code gets no token for it.
func (s *Server) exchangeCode(ctx context.Context, a accounts.Account, code, state string) (out wechatapi.Outcome, shared bool) {
	stateKey := ""
	if state != "" {
		stateKey = keyOf(a, state)
		codeKey := keyOf(a, code)
		owner, err := s.states.PutIfAbsent(ctx, stateKey, []byte(codeKey))
		if err != nil {
			return failedOutcome(ctx, err), false
		}
		if string(owner) != codeKey {
			return wechatapi.Outcome{Failure: stateUsed()}, false
		}
	}
	done, shared, err := s.codes.getOrMake(ctx, a, code, func(codeExchange) bool { return true }, func(ctx context.Context) (codeExchange, error) {
		return s.makeExchange(ctx, a, code, stateKey)
	})
	switch {
	case err != nil:
		return failedOutcome(ctx, err), shared
	case done.State != stateKey:
		return wechatapi.Outcome{Failure: codeOfAnotherLogin()}, shared
	case done.Failure != nil:
		return wechatapi.Outcome{Failure: done.Failure}, shared
	}
	if f := s.checkWithdrawal(ctx, a, done); f != nil {
		return wechatapi.Outcome{Failure: f}, shared
	}
	return wechatapi.Outcome{Answer: done.Answer}, shared
}

// makeExchange exchanges a code at WeChat, and keeps the user's token. Its error means that the code may still be valid.
func (s *Server) makeExchange(ctx context.Context, a accounts.Account, code, stateKey string) (codeExchange, error) {
	if f := s.brake.checkAccount(a); f != nil {
		return codeExchange{}, f
	}
	asked := time.Now()
	out := s.api.Do(ctx, wechatapi.Request{Call: wechatapi.ExchangeCode, Query: url.Values{"appid": {a.AppID}, "secret": {a.AppSecret.Reveal()},
		"code": {code}, "grant_type": {"authorization_code"}}})
	f := out.Failure
	switch {
	case f == nil:
		return codeExchange{State: stateKey, Asked: asked, Answer: out.Answer}, s.keepUserToken(ctx, a, out.Answer)
	case f.IsAboutCode():
		s.brake.countRefused(a)
		return codeExchange{State: stateKey, Asked: asked, Failure: f}, nil
	}
	return codeExchange{}, f
}

// checkWithdrawal returns nil, or why the token of an exchange may not be given out: its user withdrew after WeChat was asked
// for it.
func (s *Server) checkWithdrawal(ctx context.Context, a accounts.Account, done codeExchange) *wechatapi.Failure {
	openid, token := done.Answer.Text("openid"), done.Answer.Text("access_token")
	at, err := s.withdrawalTime(ctx, a, openid)
	if err != nil {
		return failureOf(ctx, err)
	}
	if at.Before(done.Asked) {
		return nil
	}
	// It may have been kept after the user was forgotten.
	if err := s.users.forgetIf(ctx, a, openid, func(kept userToken) bool { return kept.AccessToken == token }); err != nil {
		return failureOf(ctx, err)
	}
	return &wechatapi.Failure{Code: codes.InvalidArgument, Reason: oauthv1.ErrorReason_ERROR_REASON_CODE_USED,
		Message: "the user withdrew after this login; send the user to log in again"}
}

func stateUsed() *wechatapi.Failure {
	return &wechatapi.Failure{Code: codes.PermissionDenied, Reason: oauthv1.ErrorReason_ERROR_REASON_STATE_USED,
		Message: "state: it brought another code before; send the user to log in again"}
}

func codeOfAnotherLogin() *wechatapi.Failure {
	return &wechatapi.Failure{Code: codes.InvalidArgument, Reason: oauthv1.ErrorReason_ERROR_REASON_CODE_USED,
		Message: "the code came with another state before; send the user to log in again"}
}
