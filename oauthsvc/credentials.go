package oauthsvc

import (
	"context"
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
	// WeChat lets a token be replaced by force 20 times a day, 30 s apart (platform.md F.1).
	forcedPerDay = 20
	forcedApart  = 30 * time.Second
)

// credential is an account's access token, or its JS-SDK ticket.
type credential struct {
	Value   string
	Expires time.Time
	Forced  []time.Time // when a token was replaced by force, within the last day
}

func (c credential) fresh() bool { return time.Until(c.Expires) > renewEarly }

// accessToken returns the account's access token: not the refused one, where there is one.
func (s *Server) accessToken(ctx context.Context, a accounts.Account, refused string) (credential, error) {
	fresh := func(c credential) bool { return c.fresh() && c.Value != refused }
	c, _, err := s.tokens.once(ctx, a, "token", fresh, func(ctx context.Context) (credential, error) {
		kept, _, err := s.tokens.get(ctx, a, "token")
		if err != nil {
			return kept, err
		}
		next, err := s.stableToken(ctx, a, kept.Forced, false)
		if err != nil || next.Value != refused {
			return next, err
		}
		// WeChat goes on giving the token that it refuses: it is replaced.
		now := time.Now()
		forced := slices.DeleteFunc(slices.Clone(kept.Forced), func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
		if n := len(forced); n >= forcedPerDay || n > 0 && now.Sub(forced[n-1]) < forcedApart {
			return kept, &failure{code: codes.Unavailable, reason: oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID,
				message: "WeChat refuses the account's access token, and it was replaced by force a moment ago or 20 times today; try again later, and see whether another program replaces it"}
		}
		return s.stableToken(ctx, a, append(forced, now), true)
	})
	return c, err
}

// stableToken asks WeChat for the account's token (platform.md F.1).
func (s *Server) stableToken(ctx context.Context, a accounts.Account, forced []time.Time, force bool) (credential, error) {
	out := s.api.do(ctx, tokenCall, nil, map[string]any{"grant_type": "client_credential", "appid": a.AppID, "secret": a.AppSecret.Reveal(), "force_refresh": force})
	if out.failure != nil {
		return credential{}, out.failure
	}
	return newCredential(out.body.AccessToken, out.body.ExpiresIn, forced), nil
}

func newCredential(value string, seconds number, forced []time.Time) credential {
	return credential{value, time.Now().Add(time.Duration(seconds) * time.Second), forced}
}

// withToken makes a call with the account's access token, and once again with another where WeChat refuses it.
func (s *Server) withToken(ctx context.Context, a accounts.Account, c call, query url.Values, payload any) outcome {
	refused := ""
	for {
		token, err := s.accessToken(ctx, a, refused)
		if err != nil {
			return outcome{failure: failed(ctx, err)}
		}
		with := url.Values{"access_token": {token.Value}}
		for name, values := range query {
			with[name] = values
		}
		out := s.api.do(ctx, c, with, payload)
		if refused != "" || out.failure == nil || !out.failure.aboutToken() {
			return out
		}
		refused = token.Value // once
	}
}

// ticket returns the account's JS-SDK ticket (platform.md F.4).
func (s *Server) ticket(ctx context.Context, a accounts.Account) (credential, error) {
	c, _, err := s.tokens.once(ctx, a, "ticket", credential.fresh, func(ctx context.Context) (credential, error) {
		out := s.withToken(ctx, a, ticketCall, url.Values{"type": {"jsapi"}}, nil)
		if out.failure != nil {
			return credential{}, out.failure
		}
		return newCredential(out.body.Ticket, out.body.ExpiresIn, nil), nil
	})
	return c, err
}
