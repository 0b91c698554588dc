package oauthsvc

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// requiredField is a required field of a request.
type requiredField struct{ name, value string }

// maxField is longer than any code, token or openid, in bytes.
const maxField = 1024

// checkRequest checks the account and the required fields of a request, and adds account and user to the log line. It returns
// the account.
func (s *Server) checkRequest(ctx context.Context, accountName string, required ...requiredField) (accounts.Account, error) {
	a, err := s.findAccount(accountName)
	if err != nil {
		return a, err
	}
	line := service.LineOf(ctx)
	line.Add(slog.String("account", a.Name))
	for _, f := range required {
		if f.value == "" {
			return a, wechatapi.InvalidRequest(f.name + ": missing, but required")
		}
		if err := checkLength(f.name, f.value); err != nil {
			return a, err
		}
		if f.name == "openid" {
			line.Add(slog.String("user", service.ShortOpenID(f.value)))
		}
	}
	return a, nil
}

// findAccount returns an account that has an AppSecret; "" names the main account.
func (s *Server) findAccount(name string) (accounts.Account, error) {
	a, known := s.accounts().Find(name)
	switch {
	case !known:
		return a, unknownAccount("account: not one of this service's; expected the name of one, or nothing for the first")
	case a.AppSecret == "":
		return a, unknownAccount("account: " + a.Name + " has no AppSecret, and so no OAuth; give it app_secret or app_secret_file in the accounts file")
	}
	return a, nil
}

func unknownAccount(message string) error {
	const reason = oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT
	return &service.RPCError{Code: codes.NotFound, Reason: reason.Name(), Message: message}
}

func checkLength(name, value string) error {
	if len(value) > maxField {
		return wechatapi.InvalidRequest(fmt.Sprintf("%s: %d bytes; expected at most %d", name, len(value), maxField))
	}
	return nil
}

// finishCall adds the outcome of a call to the log line, and returns the caller's error if the call failed.
func finishCall(ctx context.Context, out wechatapi.Outcome) error {
	line := service.LineOf(ctx)
	if out.Took > 0 {
		line.Add(slog.Float64("upstream_ms", float64(out.Took.Microseconds())/1000))
	}
	f := out.Failure
	if f == nil {
		return nil
	}
	if f.Errcode != "" {
		line.Add(slog.String("errcode", f.Errcode), slog.String("rid", f.RID))
	}
	return f.RPCError()
}
