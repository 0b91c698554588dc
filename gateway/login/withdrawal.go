package login

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// withdrawalTimeout is how long a session waits for oauthsvc to say whether it is over.
const withdrawalTimeout = 500 * time.Millisecond

// hasWithdrawn reports whether a session's user withdrew after the login. oauthsvc is asked each time: so all gateways know at
// once, however they are connected. While it is unreachable sessions go on, as its failure must not log everybody out.
func (o *oauth) hasWithdrawn(ctx context.Context, who *session) bool {
	limited, cancel := context.WithTimeout(ctx, withdrawalTimeout)
	defer cancel()
	resp, err := o.client.GetWithdrawal(limited, &oauthv1.GetWithdrawalRequest{Account: who.Account, Openid: who.User.GetOpenid()})
	if err != nil {
		service.LineOf(ctx).Add(slog.String("withdrawal", status.Code(err).String()))
		return false
	}
	at := resp.GetWithdrawTime()
	return at != nil && !at.AsTime().Before(who.Began)
}
