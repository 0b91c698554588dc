package oauthsvc

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// GetAuthorizeUrl implements oauth.v1.OAuthService.
func (s *Server) GetAuthorizeUrl(ctx context.Context, req *oauthv1.GetAuthorizeUrlRequest) (*oauthv1.GetAuthorizeUrlResponse, error) {
	a, err := s.begin(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	page, err := authorizeURL(s.openURL, a.AppID, req)
	if err != nil {
		return nil, err
	}
	return &oauthv1.GetAuthorizeUrlResponse{Url: page}, nil
}

// ExchangeCode implements oauth.v1.OAuthService.
func (s *Server) ExchangeCode(ctx context.Context, req *oauthv1.ExchangeCodeRequest) (*oauthv1.ExchangeCodeResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"code", req.GetCode()})
	if err != nil {
		return nil, err
	}
	if err := checkState(req.GetState()); err != nil {
		return nil, err
	}
	out, shared := s.exchangeCode(ctx, a, req.GetCode(), req.GetState())
	service.LineOf(ctx).Add(slog.Bool("shared", shared))
	if err := end(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.ExchangeCodeResponse{Token: out.body.token()}, nil
}

// RefreshToken implements oauth.v1.OAuthService.
func (s *Server) RefreshToken(ctx context.Context, req *oauthv1.RefreshTokenRequest) (*oauthv1.RefreshTokenResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"refresh_token", req.GetRefreshToken()})
	if err != nil {
		return nil, err
	}
	out := s.api.do(ctx, refreshCall, url.Values{"appid": {a.AppID}, "grant_type": {"refresh_token"},
		"refresh_token": {req.GetRefreshToken()}}, nil)
	if err := end(ctx, out); err != nil {
		return nil, err
	}
	// Without a new refresh token the one that was sent stays good (platform.md E.2).
	out.body.RefreshToken = cmp.Or(out.body.RefreshToken, req.GetRefreshToken())
	return &oauthv1.RefreshTokenResponse{Token: out.body.token()}, nil
}

// GetUserInfo implements oauth.v1.OAuthService.
func (s *Server) GetUserInfo(ctx context.Context, req *oauthv1.GetUserInfoRequest) (*oauthv1.GetUserInfoResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	if len(req.GetAccessToken()) > maxField {
		return nil, tooLong("access_token", req.GetAccessToken())
	}
	lang := req.GetLang()
	switch lang {
	case "":
		lang = "zh_CN"
	case "zh_CN", "zh_TW", "en":
	default:
		return nil, invalid("lang: expected zh_CN, zh_TW or en")
	}
	var out outcome
	if req.GetAccessToken() == "" {
		out = s.keptUserInfo(ctx, a, req.GetOpenid(), lang)
	} else {
		out = s.userInfo(ctx, req.GetAccessToken(), req.GetOpenid(), lang)
	}
	if err := end(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.GetUserInfoResponse{User: out.body.userInfo()}, nil
}

// CheckToken implements oauth.v1.OAuthService.
func (s *Server) CheckToken(ctx context.Context, req *oauthv1.CheckTokenRequest) (*oauthv1.CheckTokenResponse, error) {
	if _, err := s.begin(ctx, req.GetAccount(), field{"access_token", req.GetAccessToken()}, field{"openid", req.GetOpenid()}); err != nil {
		return nil, err
	}
	out := s.api.do(ctx, checkCall, url.Values{"access_token": {req.GetAccessToken()}, "openid": {req.GetOpenid()}}, nil)
	if err := end(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.CheckTokenResponse{}, nil
}

// field is a required field of a request.
type field struct{ name, value string }

// maxField is longer than any code, token or openid, in bytes.
const maxField = 1024

// begin checks what all requests have in common, and begins their log line. It returns the account that is meant.
func (s *Server) begin(ctx context.Context, name string, required ...field) (accounts.Account, error) {
	a, err := s.accounts().find(name)
	if err != nil {
		return a, err
	}
	line := service.LineOf(ctx)
	line.Add(slog.String("account", a.Name))
	for _, f := range required {
		switch {
		case f.value == "":
			return a, invalid(f.name + ": missing, but required")
		case len(f.value) > maxField:
			return a, tooLong(f.name, f.value)
		}
		if f.name == "openid" {
			line.Add(slog.String("user", service.Short(f.value)))
		}
	}
	return a, nil
}

func tooLong(name, value string) error {
	return invalid(fmt.Sprintf("%s: %d bytes; expected at most %d", name, len(value), maxField))
}

// end tells the log line how the call ended, and returns the caller's error where it failed.
func end(ctx context.Context, out outcome) error {
	line := service.LineOf(ctx)
	if out.took > 0 {
		line.Add(slog.Float64("upstream_ms", float64(out.took.Microseconds())/1000))
	}
	if f := out.failure; f != nil {
		if f.errcode != "" {
			line.Add(slog.String("errcode", f.errcode), slog.String("rid", f.rid))
		}
		return f.err()
	}
	return nil
}

// invalid is the error of a request that names the field and what was expected. It never holds the value.
func invalid(message string) error {
	return service.NewError(codes.InvalidArgument, reasonName(oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST), message, nil, nil)
}

// reasonName returns the reason as google.rpc.ErrorInfo has it; "" for the unspecified one.
func reasonName(reason oauthv1.ErrorReason) string {
	if reason == oauthv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(reason.String(), "ERROR_REASON_")
}
