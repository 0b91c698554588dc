package oauthsvc

import (
	"context"
	"crypto/rand"
	"crypto/sha1" // WeChat's choice: the protocol has no other
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// accountService implements oauth.v1.AccountService.
type accountService struct {
	oauthv1.UnimplementedAccountServiceServer
	*Server
}

// GetAccessToken implements oauth.v1.AccountService.
func (s accountService) GetAccessToken(ctx context.Context, req *oauthv1.GetAccessTokenRequest) (*oauthv1.GetAccessTokenResponse, error) {
	a, err := s.begin(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	service.LineOf(ctx).Add(slog.Bool("refused", req.GetRefused() != ""))
	c, err := s.accessToken(ctx, a, req.GetRefused(), forcedPerDayByCallers)
	if err != nil {
		return nil, end(ctx, outcome{failure: failed(ctx, err)})
	}
	return &oauthv1.GetAccessTokenResponse{AccessToken: c.Value, ExpireTime: timestamppb.New(c.Expires)}, nil
}

// SignJsapi implements oauth.v1.AccountService.
func (s accountService) SignJsapi(ctx context.Context, req *oauthv1.SignJsapiRequest) (*oauthv1.SignJsapiResponse, error) {
	a, err := s.begin(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	page, err := pageURL(req.GetUrl())
	if err != nil {
		return nil, err
	}
	ticket, err := s.ticket(ctx, a)
	if err != nil {
		return nil, end(ctx, outcome{failure: failed(ctx, err)})
	}
	now, nonce := time.Now().Unix(), rand.Text()
	return &oauthv1.SignJsapiResponse{AppId: a.AppID, Timestamp: now, NonceStr: nonce, Signature: jsapiSignature(ticket.Value, nonce, now, page)}, nil
}

// jsapiSignature is platform.md F.4.
func jsapiSignature(ticket, nonce string, timestamp int64, page string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "jsapi_ticket=%s&noncestr=%s&timestamp=%d&url=%s", ticket, nonce, timestamp, page))
	return hex.EncodeToString(sum[:])
}

// SendCustomMessage implements oauth.v1.AccountService.
func (s accountService) SendCustomMessage(ctx context.Context, req *oauthv1.SendCustomMessageRequest) (*oauthv1.SendCustomMessageResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	payload, err := customMessage(req.GetOpenid(), req.GetMessage())
	if err != nil {
		return nil, err
	}
	service.LineOf(ctx).Add(slog.Any("msgtype", payload["msgtype"]))
	if err := checkAttempt(req.GetAttemptId()); err != nil {
		return nil, err
	}
	if err := end(ctx, s.send(ctx, a, req.GetAttemptId(), payload)); err != nil {
		return nil, err
	}
	return &oauthv1.SendCustomMessageResponse{}, nil
}

// SetTyping implements oauth.v1.AccountService.
func (s accountService) SetTyping(ctx context.Context, req *oauthv1.SetTypingRequest) (*oauthv1.SetTypingResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	command := "CancelTyping"
	if req.GetTyping() {
		command = "Typing"
	}
	if err := end(ctx, s.accountCall(ctx, a, typingCall, nil, map[string]any{"touser": req.GetOpenid(), "command": command})); err != nil {
		return nil, err
	}
	return &oauthv1.SetTypingResponse{}, nil
}

// ListCallbackIps implements oauth.v1.AccountService.
func (s accountService) ListCallbackIps(ctx context.Context, req *oauthv1.ListCallbackIpsRequest) (*oauthv1.ListCallbackIpsResponse, error) {
	a, err := s.begin(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	out := s.accountCall(ctx, a, callbackIPCall, nil, nil)
	if err := end(ctx, out); err != nil {
		return nil, err
	}
	return &oauthv1.ListCallbackIpsResponse{Ips: out.body.IPList}, nil
}

// GetQuota implements oauth.v1.AccountService.
func (s accountService) GetQuota(ctx context.Context, req *oauthv1.GetQuotaRequest) (*oauthv1.GetQuotaResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"cgi_path", req.GetCgiPath()})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(req.GetCgiPath(), "/") {
		return nil, invalid("cgi_path: expected a path such as /cgi-bin/message/custom/send")
	}
	out := s.accountCall(ctx, a, quotaCall, nil, map[string]any{"cgi_path": req.GetCgiPath()})
	if err := end(ctx, out); err != nil {
		return nil, err
	}
	q := out.body.Quota
	return &oauthv1.GetQuotaResponse{DailyLimit: q.DailyLimit, Used: q.Used, Remain: q.Remain}, nil
}
