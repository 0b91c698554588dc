package oauthsvc

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepUserTokens is longer than a refresh token lives: 30 days (platform.md E.2).
	keepUserTokens = 31 * 24 * time.Hour
	// refreshEarly is how long before its end a user's token is refreshed.
	refreshEarly = time.Minute
)

// userToken is a user's web token as it is kept.
type userToken struct {
	AccessToken  string
	Expires      time.Time
	RefreshToken string
	Scope        string
}

// newUserToken returns the token of WeChat's answer. It is taken for valid a while, however short its life is: if WeChat
// refuses it, it is refreshed.
func newUserToken(answer wechatapi.Answer) userToken {
	life := max(time.Duration(answer.Number("expires_in"))*time.Second, refreshEarly+trustFor)
	return userToken{answer.Text("access_token"), time.Now().Add(life), answer.Text("refresh_token"), answer.Text("scope")}
}

// showsProfile reports whether a token of this scope, as WeChat writes it, gives more than the openid.
func showsProfile(scope string) bool {
	return strings.Contains(scope, "snsapi_userinfo") || strings.Contains(scope, "snsapi_login")
}

// keepUserToken keeps the token of a login, unless the kept token shows more. It keeps no token of the snapshot page's virtual
// users.
func (s *Server) keepUserToken(ctx context.Context, a accounts.Account, answer wechatapi.Answer) error {
	if answer.Number("is_snapshotuser") != 0 {
		return nil
	}
	openid, token := answer.Text("openid"), newUserToken(answer)
	if !showsProfile(token.Scope) {
		kept, ok, err := s.users.get(ctx, a, openid)
		if err != nil || ok && showsProfile(kept.Scope) {
			return err
		}
	}
	return s.users.put(ctx, a, openid, token)
}

// validUserToken returns a user's kept token. It refreshes one that expired, or that WeChat refused.
func (s *Server) validUserToken(ctx context.Context, a accounts.Account, openid, refused string) (userToken, error) {
	isFresh := func(t userToken) bool {
		return t.AccessToken != refused && time.Until(t.Expires) > refreshEarly
	}
	token, _, err := s.users.getOrMake(ctx, a, openid, isFresh, func(ctx context.Context) (userToken, error) {
		kept, ok, err := s.users.get(ctx, a, openid)
		if err != nil {
			return kept, err
		}
		if !ok {
			return kept, loginRequired()
		}
		return s.renewUserToken(ctx, a, openid, kept)
	})
	return token, err
}

// renewUserToken refreshes a kept token. If that is no longer possible, it forgets the token.
func (s *Server) renewUserToken(ctx context.Context, a accounts.Account, openid string, kept userToken) (userToken, error) {
	out := s.refreshUserToken(ctx, a, kept.RefreshToken)
	if f := out.Failure; f != nil {
		if f.Reason == oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED {
			// Another refresh would fail too. If a login brought another token meanwhile, that one stays.
			_ = s.users.forgetIf(ctx, a, openid, func(t userToken) bool { return t.AccessToken == kept.AccessToken })
		}
		return kept, f
	}
	if out.Answer.Text("openid") != openid {
		return kept, wechatapi.UnexpectedAnswer(errors.New("a token of another user than the refreshed one's"))
	}
	next := newUserToken(out.Answer)
	// Fields that WeChat leaves out have not changed (platform.md E.2).
	next.RefreshToken, next.Scope = cmp.Or(next.RefreshToken, kept.RefreshToken), cmp.Or(next.Scope, kept.Scope)
	return next, nil
}

func (s *Server) refreshUserToken(ctx context.Context, a accounts.Account, refreshToken string) wechatapi.Outcome {
	return s.api.Do(ctx, wechatapi.Request{Call: wechatapi.RefreshUserToken,
		Query: url.Values{"appid": {a.AppID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}})
}

// userInfoByKeptToken asks WeChat for a user's profile with the kept token.
func (s *Server) userInfoByKeptToken(ctx context.Context, a accounts.Account, openid, lang string) wechatapi.Outcome {
	refused := ""
	for {
		token, err := s.validUserToken(ctx, a, openid, refused)
		if err != nil {
			return failedOutcome(ctx, err)
		}
		out := s.userInfo(ctx, token.AccessToken, openid, lang)
		if refused != "" || out.Failure == nil || !out.Failure.IsAboutToken() {
			return out
		}
		refused = token.AccessToken
	}
}

func (s *Server) userInfo(ctx context.Context, token, openid, lang string) wechatapi.Outcome {
	return s.api.Do(ctx, wechatapi.Request{Call: wechatapi.GetUserInfo, Query: url.Values{"access_token": {token}, "openid": {openid}, "lang": {lang}}})
}

func loginRequired() *wechatapi.Failure {
	return &wechatapi.Failure{Code: codes.Unauthenticated, Reason: oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		Message: "no token of this user is kept; send the user to log in"}
}
