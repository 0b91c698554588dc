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

// forgetter has oauthsvc erase what it keeps about users who withdrew: an event of WeChat's tells of them
// ("授权用户信息变更", internal/wechat/platform.md). Nil where there is no oauthsvc.
type forgetter struct {
	client oauthv1.OAuthServiceClient
	total  *prometheus.CounterVec
}

func newForgetter(registerer prometheus.Registerer, client oauthv1.OAuthServiceClient) *forgetter {
	f := &forgetter{client, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_forgotten_users_total",
		Help: "Users who withdrew, by outcome: forgotten, no_login where the account has none, or failed.",
	}, []string{"outcome"})}
	registerer.MustRegister(f.total)
	return f
}

// start begins to forget the user whom a message says to have withdrawn. The function that it returns waits for the
// end, at most until ctx ends, and tells log and metric; for other messages it does nothing.
func (f *forgetter) start(ctx context.Context, msg *wechatv1.Message) (wait func()) {
	openid, withdrew := withdrawn(msg.GetEvent())
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
		outcome := "forgotten"
		switch {
		case err == nil:
		case oauthv1.ReasonOf(err) == oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT:
			outcome = "no_login" // nothing was ever kept
		default:
			outcome = "failed"
			service.LineOf(ctx).Fail(errors.New("a user who withdrew is not forgotten: oauth: " + status.Code(err).String()))
		}
		service.LineOf(ctx).Add(slog.String("forget", outcome))
		f.total.WithLabelValues(outcome).Inc()
	}
}

// withdrawn returns who withdrew: the OpenID of the event, for its FromUserName may be another's.
func withdrawn(e *wechatv1.Event) (openid string, ok bool) {
	switch kind := e.GetKind().(type) {
	case *wechatv1.Event_UserAuthorizationRevoke:
		return kind.UserAuthorizationRevoke.GetOpenid(), true
	case *wechatv1.Event_UserAuthorizationCancellation:
		return kind.UserAuthorizationCancellation.GetOpenid(), true
	}
	return "", false
}
