package oauthsvc

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// accountService implements oauth.v1.AccountService.
type accountService struct {
	oauthv1.UnimplementedAccountServiceServer
	*Server
}

// GetAccessToken implements oauth.v1.AccountService.
func (s accountService) GetAccessToken(ctx context.Context, req *oauthv1.GetAccessTokenRequest) (*oauthv1.GetAccessTokenResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	service.LineOf(ctx).Add(slog.Bool("refused", req.GetRefused() != ""))
	token, err := s.accessToken(ctx, a, req.GetRefused(), forcedPerDayByCallers)
	if err != nil {
		return nil, finishCall(ctx, failedOutcome(ctx, err))
	}
	return &oauthv1.GetAccessTokenResponse{AccessToken: token.Value, ExpireTime: timestamppb.New(token.Expires)}, nil
}

// SignJsapi implements oauth.v1.AccountService.
func (s accountService) SignJsapi(ctx context.Context, req *oauthv1.SignJsapiRequest) (*oauthv1.SignJsapiResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	page, err := jsapiPage(req.GetUrl())
	if err != nil {
		return nil, err
	}
	ticket, err := s.jsapiTicket(ctx, a)
	if err != nil {
		return nil, finishCall(ctx, failedOutcome(ctx, err))
	}
	return signJsapi(a.AppID, ticket.Value, page), nil
}

// SendCustomMessage implements oauth.v1.AccountService.
func (s accountService) SendCustomMessage(ctx context.Context, req *oauthv1.SendCustomMessageRequest) (*oauthv1.SendCustomMessageResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	payload, err := wechatapi.CustomMessage(req.GetOpenid(), req.GetMessage())
	if err != nil {
		return nil, err
	}
	service.LineOf(ctx).Add(slog.Any("msgtype", payload["msgtype"]))
	if err := checkAttemptID(req.GetAttemptId()); err != nil {
		return nil, err
	}
	if err := finishCall(ctx, s.sendOnce(ctx, a, req.GetAttemptId(), payload)); err != nil {
		return nil, err
	}
	return &oauthv1.SendCustomMessageResponse{}, nil
}

// CheckCustomMessage implements oauth.v1.AccountService.
func (s accountService) CheckCustomMessage(ctx context.Context, req *oauthv1.CheckCustomMessageRequest) (*oauthv1.CheckCustomMessageResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"attempt_id", req.GetAttemptId()})
	if err != nil {
		return nil, err
	}
	if err := checkAttemptID(req.GetAttemptId()); err != nil {
		return nil, err
	}
	if req.GetAgeMs() < 0 {
		return nil, wechatapi.InvalidRequest("age_ms: below 0; expected how long ago the attempt was made, in milliseconds")
	}
	age := time.Duration(min(req.GetAgeMs(), keepSend.Milliseconds())) * time.Millisecond
	if err := finishCall(ctx, s.attemptOutcome(ctx, a, req.GetAttemptId(), age)); err != nil {
		return nil, err
	}
	return &oauthv1.CheckCustomMessageResponse{}, nil
}

func checkAttemptID(id string) error {
	if len(id) > maxAttemptID {
		return wechatapi.InvalidRequest(fmt.Sprintf("attempt_id: longer than %d bytes", maxAttemptID))
	}
	return nil
}

// SetTyping implements oauth.v1.AccountService.
func (s accountService) SetTyping(ctx context.Context, req *oauthv1.SetTypingRequest) (*oauthv1.SetTypingResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	command := "CancelTyping"
	if req.GetTyping() {
		command = "Typing"
	}
	out := s.callForAccount(ctx, a, wechatapi.Request{Call: wechatapi.SetTyping, Payload: map[string]any{"touser": req.GetOpenid(), "command": command}})
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.SetTypingResponse{}, nil
}

// ListCallbackIps implements oauth.v1.AccountService.
func (s accountService) ListCallbackIps(ctx context.Context, req *oauthv1.ListCallbackIpsRequest) (*oauthv1.ListCallbackIpsResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	out := s.callForAccount(ctx, a, wechatapi.Request{Call: wechatapi.GetCallbackIPs})
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.ListCallbackIpsResponse{Ips: out.Answer.Texts("ip_list")}, nil
}

// GetQuota implements oauth.v1.AccountService.
func (s accountService) GetQuota(ctx context.Context, req *oauthv1.GetQuotaRequest) (*oauthv1.GetQuotaResponse, error) {
	a, err := s.checkRequest(ctx, req.GetAccount(), requiredField{"cgi_path", req.GetCgiPath()})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(req.GetCgiPath(), "/") {
		return nil, wechatapi.InvalidRequest("cgi_path: expected a path such as /cgi-bin/message/custom/send")
	}
	out := s.callForAccount(ctx, a, wechatapi.Request{Call: wechatapi.GetQuota, Payload: map[string]any{"cgi_path": req.GetCgiPath()}})
	if err := finishCall(ctx, out); err != nil {
		return nil, err
	}
	quota := out.Answer.Object("quota")
	return &oauthv1.GetQuotaResponse{DailyLimit: quota.Number("daily_limit"), Used: quota.Number("used"), Remain: quota.Number("remain")}, nil
}
