package gateway

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// userForgetter makes oauthsvc erase the data of users after they withdrew their authorization. WeChat reports them by an event
// ("授权用户信息变更", internal/wechat/platform.md). It is nil without oauthsvc.
type userForgetter struct {
	client oauthv1.OAuthServiceClient
	total  *prometheus.CounterVec
}

// forgetOutcome is the result of a withdrawal, for log and metric.
type forgetOutcome string

const (
	forgotten     forgetOutcome = "forgotten"
	forgetNoLogin forgetOutcome = "no_login"
	forgetFailed  forgetOutcome = "failed"
)

func newUserForgetter(registerer prometheus.Registerer, client oauthv1.OAuthServiceClient) *userForgetter {
	f := &userForgetter{client, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_forgotten_users_total",
		Help: "Users who withdrew their authorization, by outcome. " +
			string(forgotten) + ": oauthsvc erased their data; " + string(forgetNoLogin) + ": the account has no login; " + string(forgetFailed) + ": oauthsvc failed.",
	}, []string{"outcome"})}
	registerer.MustRegister(f.total)
	return f
}

// startForgetting starts to erase the user's data if the message is a withdrawal. The function that it returns waits for
// the result, at most until ctx ends, and writes it to log and metric.
func (f *userForgetter) startForgetting(ctx context.Context, msg *wechatv1.Message) (wait func()) {
	openid, withdrew := withdrawnUser(msg.GetEvent())
	if f == nil || !withdrew {
		return func() {}
	}
	done := make(chan error, 1)
	go func() {
		_, err := f.client.ForgetUser(ctx, &oauthv1.ForgetUserRequest{Account: msg.GetAccount(), Openid: openid}, grpc.WaitForReady(true))
		done <- err
	}()
	return func() {
		err := <-done // the call ends when ctx does
		outcome := forgotten
		switch {
		case err == nil:
		case oauthv1.ReasonOf(err) == oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT:
			outcome = forgetNoLogin // there was no data
		default:
			outcome = forgetFailed
			service.LineOf(ctx).Fail(errors.New("the data of a user who withdrew is not erased: oauth: " + status.Code(err).String()))
		}
		service.LineOf(ctx).Add(slog.String("forget", string(outcome)))
		f.total.WithLabelValues(string(outcome)).Inc()
	}
}

// withdrawnUser returns the user of a withdrawal: the OpenID of the event. Its FromUserName may be another user's.
func withdrawnUser(e *wechatv1.Event) (openid string, ok bool) {
	switch kind := e.GetKind().(type) {
	case *wechatv1.Event_UserAuthorizationRevoke:
		return kind.UserAuthorizationRevoke.GetOpenid(), true
	case *wechatv1.Event_UserAuthorizationCancellation:
		return kind.UserAuthorizationCancellation.GetOpenid(), true
	}
	return "", false
}
