package oauthsvc

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepCredential is longer than an access token or a ticket lives: 2 hours (platform.md F.1, F.4).
	keepCredential = 24 * time.Hour
	// renewEarly is when stable_token gives a new token: in the last five minutes of the old one, which stays good.
	renewEarly = 5 * time.Minute
	// askedApart is how long a token is taken for good, however soon WeChat says that it ends.
	askedApart = 30 * time.Second
	// WeChat lets a token be replaced by force 20 times a day, 30 s apart (platform.md F.1). Callers who say that a token is
	// refused get 15 of them, so that some remain for tokens that WeChat refused to this service.
	forcedPerDay          = 20
	forcedPerDayByCallers = 15
	forcedApart           = 30 * time.Second
)

// credential is an account's access token, or its JS-SDK ticket.
type credential struct {
	Value   string
	Expires time.Time
	Made    time.Time // when WeChat gave it
}

func (c credential) fresh() bool {
	return time.Until(c.Expires) > renewEarly || time.Since(c.Made) < askedApart
}

// forcedTokens are the times at which an account's token was replaced by force, within the last day.
type forcedTokens []time.Time

// accessToken returns the account's access token: not the refused one, unless WeChat takes that after all. mostForced is how
// often a day the token may be replaced by force.
func (s *Server) accessToken(ctx context.Context, a accounts.Account, refused string, mostForced int) (credential, error) {
	fresh := func(c credential) bool { return c.fresh() && c.Value != refused }
	c, _, err := s.tokens.once(ctx, a, "token", fresh, func(ctx context.Context) (credential, error) {
		next, err := s.stableToken(ctx, a, false)
		if err != nil || next.Value != refused {
			return next, err
		}
		// WeChat goes on giving the token. Is it refused at all?
		if good, err := s.tryToken(ctx, next.Value); good || err != nil {
			return next, err
		}
		if err := s.countForced(ctx, a, mostForced); err != nil {
			return next, err
		}
		return s.stableToken(ctx, a, true)
	})
	return c, err
}

// tryToken reports whether WeChat takes an access token.
func (s *Server) tryToken(ctx context.Context, token string) (good bool, err error) {
	f := s.api.perform(ctx, apiRequest{call: callbackIPCall, query: url.Values{"access_token": {token}}, single: true}).failure
	switch {
	case f == nil:
		return true, nil
	case f.errcode == "":
		return false, f
	}
	return !f.aboutToken(), nil
}

// countForced counts a replacement by force before it is made: the answer may be lost, and WeChat has counted it. The error
// says that there may be none now. Its callers have the lock of the account's token.
func (s *Server) countForced(ctx context.Context, a accounts.Account, most int) error {
	kept, _, err := s.forced.get(ctx, a, "forced")
	if err != nil {
		return err
	}
	now := time.Now()
	kept = slices.DeleteFunc(kept, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
	if n := len(kept); n >= most || n > 0 && now.Sub(kept[n-1]) < forcedApart {
		return &failure{code: codes.Unavailable, reason: oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID, retryAfter: forcedApart,
			message: fmt.Sprintf("WeChat refuses the account's access token, and it was replaced by force a moment ago, or %d times today; try again later, and see whether another program replaces it", most)}
	}
	return s.forced.put(ctx, a, "forced", append(kept, now))
}

// stableToken asks WeChat for the account's token (platform.md F.1). By force it does so once.
func (s *Server) stableToken(ctx context.Context, a accounts.Account, force bool) (credential, error) {
	out := s.api.perform(ctx, apiRequest{call: tokenCall, single: force, payload: map[string]any{
		"grant_type": "client_credential", "appid": a.AppID, "secret": a.AppSecret.Reveal(), "force_refresh": force}})
	if out.failure != nil {
		return credential{}, out.failure
	}
	return newCredential(out.body.AccessToken, out.body.ExpiresIn), nil
}

func newCredential(value string, seconds int64) credential {
	now := time.Now()
	return credential{value, now.Add(lifetime(seconds)), now}
}

// lifetime returns how long a token is good that WeChat gives for some seconds, at most as long as it is kept.
func lifetime(seconds int64) time.Duration {
	return time.Duration(max(0, min(seconds, int64(keepCredential/time.Second)))) * time.Second
}

// accountCall makes a call with the account's access token, and once again with another if WeChat refuses it.
func (s *Server) accountCall(ctx context.Context, a accounts.Account, c call, query url.Values, payload any) outcome {
	return s.withToken(ctx, a, func(token string) outcome {
		with := url.Values{"access_token": {token}}
		maps.Copy(with, query)
		return s.api.do(ctx, c, with, payload)
	})
}

// withToken has perform make a call with the account's access token, and once again with another if WeChat refuses it.
func (s *Server) withToken(ctx context.Context, a accounts.Account, perform func(token string) outcome) outcome {
	refused := ""
	for {
		token, err := s.accessToken(ctx, a, refused, forcedPerDay)
		if err != nil {
			return outcome{failure: failed(ctx, err)}
		}
		out := perform(token.Value)
		if refused != "" || out.failure == nil || !out.failure.aboutToken() {
			return out
		}
		refused = token.Value // once
	}
}

// ticket returns the account's JS-SDK ticket (platform.md F.4).
func (s *Server) ticket(ctx context.Context, a accounts.Account) (credential, error) {
	c, _, err := s.tokens.once(ctx, a, "ticket", credential.fresh, func(ctx context.Context) (credential, error) {
		out := s.accountCall(ctx, a, ticketCall, url.Values{"type": {"jsapi"}}, nil)
		if out.failure != nil {
			return credential{}, out.failure
		}
		return newCredential(out.body.Ticket, out.body.ExpiresIn), nil
	})
	return c, err
}
