package login

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// withdrawalTimeout limits the question to oauthsvc.
const withdrawalTimeout = 500 * time.Millisecond

// hasWithdrawn reports whether the user withdrew the authorization after the login. It asks oauthsvc each time, so that all gateways
// know at once. If oauthsvc is unreachable the session stays valid: an outage must not log all users out.
func (s *loginServer) hasWithdrawn(ctx context.Context, session *loginSession) bool {
	limited, cancel := context.WithTimeout(ctx, withdrawalTimeout)
	defer cancel()
	resp, err := s.client.GetWithdrawal(limited, &oauthv1.GetWithdrawalRequest{Account: session.Account, Openid: session.User.GetOpenid()})
	if err != nil {
		service.LineOf(ctx).Add(slog.String("withdrawal", status.Code(err).String()))
		return false
	}
	at := resp.GetWithdrawTime()
	return at != nil && !at.AsTime().Before(session.Began)
}
