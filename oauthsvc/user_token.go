package oauthsvc

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepUserToken is longer than a refresh token lives: 30 days (platform.md E.2).
	keepUserToken = 31 * 24 * time.Hour
	// early is how long before its end a token is renewed.
	early = time.Minute
)

// userToken is a user's web token as it is kept.
type userToken struct {
	AccessToken  string
	Expires      time.Time
	RefreshToken string
	Scope        string
}

// newUserToken returns the token of WeChat's answer. It is taken for good a while, however soon WeChat says that it ends: one
// that is refused is refreshed.
func newUserToken(b *body) userToken {
	life := max(time.Duration(b.ExpiresIn)*time.Second, early+askedApart)
	return userToken{b.AccessToken, time.Now().Add(life), b.RefreshToken, b.Scope}
}

// showsProfile reports whether a scope, as WeChat says it, is more than the openid.
func showsProfile(scope string) bool {
	return strings.Contains(scope, "snsapi_userinfo") || strings.Contains(scope, "snsapi_login")
}

// keepUser keeps the token of a user who logged in, unless the one that is kept shows more. A virtual user of the snapshot page
// is none.
func (s *Server) keepUser(ctx context.Context, a accounts.Account, b body) error {
	if b.IsSnapshotUser != 0 {
		return nil
	}
	if !showsProfile(b.Scope) {
		kept, ok, err := s.users.get(ctx, a, b.OpenID)
		if err != nil || ok && showsProfile(kept.Scope) {
			return err
		}
	}
	return s.users.put(ctx, a, b.OpenID, newUserToken(&b))
}

// userToken returns a user's token, refreshed where it has expired, or is the one that WeChat refused.
func (s *Server) userToken(ctx context.Context, a accounts.Account, openid, refused string) (userToken, error) {
	fresh := func(t userToken) bool {
		return t.AccessToken != refused && time.Until(t.Expires) > early
	}
	token, _, err := s.users.once(ctx, a, openid, fresh, func(ctx context.Context) (userToken, error) {
		kept, ok, err := s.users.get(ctx, a, openid)
		if err != nil {
			return kept, err
		}
		if !ok {
			return kept, loginRequired()
		}
		out := s.api.do(ctx, refreshCall, url.Values{"appid": {a.AppID}, "grant_type": {"refresh_token"}, "refresh_token": {kept.RefreshToken}}, nil)
		if f := out.failure; f != nil {
			if f.reason == oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED {
				// It would be asked for in vain. A login meanwhile brought another, which stays.
				_ = s.users.forgetIf(ctx, a, openid, func(t userToken) bool { return t.AccessToken == kept.AccessToken })
			}
			return kept, f
		}
		if out.body.OpenID != openid {
			return kept, unexpected(answerError("a token of another user than asked"))
		}
		next := newUserToken(&out.body)
		// What WeChat leaves out has not changed (platform.md E.2).
		next.RefreshToken, next.Scope = cmp.Or(next.RefreshToken, kept.RefreshToken), cmp.Or(next.Scope, kept.Scope)
		return next, nil
	})
	return token, err
}

// keptUserInfo returns the profile of a user whose token is kept.
func (s *Server) keptUserInfo(ctx context.Context, a accounts.Account, openid, lang string) outcome {
	refused := ""
	for {
		token, err := s.userToken(ctx, a, openid, refused)
		if err != nil {
			return outcome{failure: failed(ctx, err)}
		}
		out := s.userInfo(ctx, token.AccessToken, openid, lang)
		if refused != "" || out.failure == nil || !out.failure.aboutToken() {
			return out
		}
		refused = token.AccessToken // once
	}
}

func (s *Server) userInfo(ctx context.Context, token, openid, lang string) outcome {
	return s.api.do(ctx, userInfoCall, url.Values{"access_token": {token}, "openid": {openid}, "lang": {lang}}, nil)
}

func loginRequired() *failure {
	return &failure{code: codes.Unauthenticated, reason: oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		message: "no token of this user is kept; send the user to log in"}
}

// aboutToken tells whether WeChat refused an access token that another could take the place of.
func (f *failure) aboutToken() bool {
	return f.reason == oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED || f.reason == oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID
}
