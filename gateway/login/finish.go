package login

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// callbackRequest is a request with which a browser comes back from WeChat.
type callbackRequest struct {
	loginTarget
	code, state string
}

func (s *loginServer) readCallback(r *http.Request) (callbackRequest, error) {
	q, err := readParameters(r, "code", "state", "return_to", "account", "scope", "again")
	if err != nil {
		return callbackRequest{}, err
	}
	t, err := s.readTarget(q)
	// Some WeChat clients append ?from=… to the address of a shared page, even if it has a query. Neither value has a "?" itself.
	code, _, _ := strings.Cut(q["code"], "?")
	state, _, _ := strings.Cut(q["state"], "?")
	return callbackRequest{t, code, state}, err
}

// handleCallback handles the address to which WeChat redirects the browser, with a code. It always redirects on: people share the
// address of the page that they see.
func (s *loginServer) handleCallback(w http.ResponseWriter, r *http.Request) error {
	back, err := s.readCallback(r)
	if err == nil {
		err = s.finishLogin(w, r, back)
	}
	if failure, ok := errors.AsType[*pageError](err); ok {
		return s.leaveCallback(w, r, back.loginTarget, failure)
	}
	return err
}

// finishLogin logs in the browser that started the login, and no other.
func (s *loginServer) finishLogin(w http.ResponseWriter, r *http.Request, back callbackRequest) error {
	began := time.Now()
	retry := s.retryURL(back.loginTarget)
	err := s.states.checkState(back.state, back.account, back.returnTo, began)
	before := s.sessionOf(r, back.account)
	if (err == nil || errors.Is(err, errStateExpired)) && before.isFromLogin(back.state) {
		redirectTo(w, back.returnTo) // a reload, or a step back in the browser's history
		return nil
	}
	if err != nil {
		return forbiddenPage(failureReason(err.Error()), retry)
	}
	if back.code == "" {
		return failedPage(reasonDeclined, retry)
	}
	if !s.isOwnLogin(r, back.state) {
		if back.again {
			return failedPage(reasonNoCookie, retry)
		}
		// The address was shared, or the browser lost its cookies.
		back.again = true
		redirectTo(w, loginPath+"?"+s.targetQuery(back.loginTarget))
		return nil
	}
	if !s.brake.isOpen(r) {
		return failedPage(reasonTooMany, retry)
	}
	session, err := s.exchangeCode(r, back)
	if err != nil {
		return err
	}
	service.LineOf(r.Context()).Add(slog.String("user", service.ShortOpenID(session.User.GetOpenid())))
	session.Began = began // before the code was exchanged: a user who withdraws the authorization meanwhile is not logged in
	session.continueFrom(before, back.state)
	if err := s.startSession(w, r, session); err != nil {
		service.LineOf(r.Context()).Fail(err)
		return failedPage(reasonSession, retry)
	}
	redirectTo(w, back.returnTo)
	return nil
}

// exchangeCode exchanges the code for the user's identity, at oauthsvc. The error is a *pageError.
func (s *loginServer) exchangeCode(r *http.Request, back callbackRequest) (*loginSession, error) {
	ctx, retry := r.Context(), s.retryURL(back.loginTarget)
	exchanged, err := s.client.ExchangeCode(ctx, &oauthv1.ExchangeCodeRequest{Account: back.account, Code: back.code, State: back.state})
	if err != nil {
		if isAboutCode(oauthv1.ReasonOf(err)) {
			s.brake.countRefusal(r)
		}
		return nil, failedCallPage(err, retry)
	}
	token := exchanged.GetToken()
	if token.GetIsSnapshotuser() != 0 {
		// WeChat made up this openid for a preview: it must not become a login.
		return nil, failedPage(reasonSnapshotUser, retry)
	}
	user, err := s.userOf(ctx, back.account, token)
	if err != nil {
		return nil, failedCallPage(err, retry)
	}
	return &loginSession{Account: back.account, Scope: token.GetScope(), User: user}, nil
}

// userOf returns the user of a token: the profile if the scope includes it, else only openid and unionid.
func (s *loginServer) userOf(ctx context.Context, name string, token *oauthv1.Token) (*oauthv1.UserInfo, error) {
	if !showsProfile(token.GetScope()) {
		return &oauthv1.UserInfo{Openid: token.GetOpenid(), Unionid: token.GetUnionid()}, nil
	}
	resp, err := s.client.GetUserInfo(ctx, &oauthv1.GetUserInfoRequest{Account: name, AccessToken: token.GetAccessToken(), Openid: token.GetOpenid()})
	user := resp.GetUser()
	if err == nil && user.GetUnionid() == "" && token.GetUnionid() != "" {
		user = proto.CloneOf(user) // an oauthsvc in this process may share it
		user.Unionid = token.GetUnionid()
	}
	return user, err
}

// showsProfile reports whether a scope, in WeChat's form, includes the profile.
func showsProfile(scope string) bool {
	return strings.Contains(scope, scopeUserinfo) || strings.Contains(scope, scopeQRCode)
}
