package oauthsvc

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"

	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// GetAuthorizeUrl implements oauth.v1.OAuthService.
func (s *Server) GetAuthorizeUrl(ctx context.Context, req *oauthv1.GetAuthorizeUrlRequest) (*oauthv1.GetAuthorizeUrlResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	page, err := wechatapi.AuthorizeURL(s.openURL, a.AppID, req)
	if err != nil {
		return nil, err
	}
	return &oauthv1.GetAuthorizeUrlResponse{Url: page}, nil
}

// ExchangeCode implements oauth.v1.OAuthService.
func (s *Server) ExchangeCode(ctx context.Context, req *oauthv1.ExchangeCodeRequest) (*oauthv1.ExchangeCodeResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"code", req.GetCode()})
	if err != nil {
		return nil, err
	}
	if err := wechatapi.CheckState(req.GetState()); err != nil {
		return nil, err
	}
	out, shared := s.exchangeCode(ctx, a, req.GetCode(), req.GetState())
	service.LineOf(ctx).Add(slog.Bool("shared", shared))
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.ExchangeCodeResponse{Token: out.Answer.UserToken()}, nil
}

// RefreshToken implements oauth.v1.OAuthService.
func (s *Server) RefreshToken(ctx context.Context, req *oauthv1.RefreshTokenRequest) (*oauthv1.RefreshTokenResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"refresh_token", req.GetRefreshToken()})
	if err != nil {
		return nil, err
	}
	out := s.refreshUserToken(ctx, a, req.GetRefreshToken())
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	token := out.Answer.UserToken()
	// Without a new refresh token the one that was sent stays valid (platform.md E.2).
	token.RefreshToken = cmp.Or(token.RefreshToken, req.GetRefreshToken())
	return &oauthv1.RefreshTokenResponse{Token: token}, nil
}

// GetUserInfo implements oauth.v1.OAuthService.
func (s *Server) GetUserInfo(ctx context.Context, req *oauthv1.GetUserInfoRequest) (*oauthv1.GetUserInfoResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	if err := checkLength("access_token", req.GetAccessToken()); err != nil {
		return nil, err
	}
	lang := cmp.Or(req.GetLang(), "zh_CN")
	switch lang {
	case "zh_CN", "zh_TW", "en":
	default:
		return nil, wechatapi.InvalidRequest("lang: expected zh_CN, zh_TW or en")
	}
	var out wechatapi.Outcome
	if req.GetAccessToken() == "" {
		out = s.userInfoByKeptToken(ctx, a, req.GetOpenid(), lang)
	} else {
		out = s.userInfo(ctx, req.GetAccessToken(), req.GetOpenid(), lang)
	}
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.GetUserInfoResponse{User: out.Answer.UserInfo()}, nil
}

// CheckToken implements oauth.v1.OAuthService.
func (s *Server) CheckToken(ctx context.Context, req *oauthv1.CheckTokenRequest) (*oauthv1.CheckTokenResponse, error) {
	_, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"access_token", req.GetAccessToken()}, requiredField{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	out := s.api.Do(ctx, wechatapi.Request{Call: wechatapi.CheckUserToken, Query: url.Values{"access_token": {req.GetAccessToken()}, "openid": {req.GetOpenid()}}})
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.CheckTokenResponse{}, nil
}

// ForgetUser implements oauth.v1.OAuthService.
func (s *Server) ForgetUser(ctx context.Context, req *oauthv1.ForgetUserRequest) (*oauthv1.ForgetUserResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	if err := s.noteWithdrawal(ctx, a, req.GetOpenid()); err != nil {
		return nil, failureOf(ctx, err).RPCError()
	}
	if err := s.users.forget(ctx, a, req.GetOpenid()); err != nil {
		return nil, failureOf(ctx, err).RPCError()
	}
	return &oauthv1.ForgetUserResponse{}, nil
}

// GetWithdrawal implements oauth.v1.OAuthService.
func (s *Server) GetWithdrawal(ctx context.Context, req *oauthv1.GetWithdrawalRequest) (*oauthv1.GetWithdrawalResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	at, err := s.withdrawalTime(ctx, a, req.GetOpenid())
	switch {
	case err != nil:
		return nil, failureOf(ctx, err).RPCError()
	case at.IsZero():
		return &oauthv1.GetWithdrawalResponse{}, nil
	}
	return &oauthv1.GetWithdrawalResponse{WithdrawTime: timestamppb.New(at)}, nil
}
