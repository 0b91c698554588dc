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
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepCredential is longer than an access token or a ticket lives: 2 hours (platform.md F.1, F.4).
	keepCredential = 24 * time.Hour
	// renewEarly is when stable_token gives a new token: in the last five minutes of the old one, which stays valid.
	renewEarly = 5 * time.Minute
	// trustFor is how long a new token is taken for valid, however short its life is.
	trustFor = 30 * time.Second
	// WeChat lets a token be replaced by force 20 times a day, 30 s apart (platform.md F.1). Callers who report that a token is
	// refused get 15 of them, so that some remain for tokens that WeChat refused to this service.
	forcedPerDay          = 20
	forcedPerDayByCallers = 15
	forcedApart           = 30 * time.Second
)

// accountCredential is an account's access token, or its JS-SDK ticket.
type accountCredential struct {
	Value   string
	Expires time.Time
	Made    time.Time // when WeChat gave it
}

func (c accountCredential) isFresh() bool {
	return time.Until(c.Expires) > renewEarly || time.Since(c.Made) < trustFor
}

// forcedTokens are the times within the last day at which an account's token was replaced by force.
type forcedTokens []time.Time

// accessToken returns the account's access token: not the refused one, unless WeChat takes that after all. mostForced is how
// often a day the token may be replaced by force.
func (s *Server) accessToken(ctx context.Context, a accounts.Account, refused string, mostForced int) (accountCredential, error) {
	isFresh := func(c accountCredential) bool { return c.isFresh() && c.Value != refused }
	token, _, err := s.tokens.getOrMake(ctx, a, "token", isFresh, func(ctx context.Context) (accountCredential, error) {
		next, err := s.fetchAccessToken(ctx, a, false)
		if err != nil || next.Value != refused {
			return next, err
		}
		// WeChat goes on giving the token. Is it refused at all?
		if valid, err := s.tryToken(ctx, next.Value); valid || err != nil {
			return next, err
		}
		if err := s.countForced(ctx, a, mostForced); err != nil {
			return next, err
		}
		return s.fetchAccessToken(ctx, a, true)
	})
	return token, err
}

// tryToken reports whether WeChat takes an access token.
func (s *Server) tryToken(ctx context.Context, token string) (valid bool, err error) {
	f := s.api.Do(ctx, wechatapi.Request{Call: wechatapi.GetCallbackIPs, Query: url.Values{"access_token": {token}}, Once: true}).Failure
	switch {
	case f == nil:
		return true, nil
	case f.Errcode == "":
		return false, f
	}
	return !f.IsAboutToken(), nil
}

// countForced counts a replacement by force before it is made: the answer may be lost, and WeChat has counted it. Its error
// says that the token may not be replaced now. The caller holds the lock of the account's token.
func (s *Server) countForced(ctx context.Context, a accounts.Account, most int) error {
	kept, _, err := s.forced.get(ctx, a, "forced")
	if err != nil {
		return err
	}
	now := time.Now()
	kept = slices.DeleteFunc(kept, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
	if n := len(kept); n >= most || n > 0 && now.Sub(kept[n-1]) < forcedApart {
		return &wechatapi.Failure{Code: codes.Unavailable, Reason: oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID, RetryAfter: forcedApart,
			Message: fmt.Sprintf("WeChat refuses the account's access token, and it was replaced by force a moment ago, or %d times today; try again later, and see whether another program replaces it", most)}
	}
	return s.forced.put(ctx, a, "forced", append(kept, now))
}

// fetchAccessToken asks WeChat for the account's token (platform.md F.1), and if force is set for a new one.
func (s *Server) fetchAccessToken(ctx context.Context, a accounts.Account, force bool) (accountCredential, error) {
	out := s.api.Do(ctx, wechatapi.Request{Call: wechatapi.GetStableToken, Once: force, Payload: map[string]any{
		"grant_type": "client_credential", "appid": a.AppID, "secret": a.AppSecret.Reveal(), "force_refresh": force}})
	if out.Failure != nil {
		return accountCredential{}, out.Failure
	}
	return newCredential(out.Answer, "access_token"), nil
}

// newCredential returns the credential in a field of an answer.
func newCredential(answer wechatapi.Answer, field string) accountCredential {
	now := time.Now()
	return accountCredential{answer.Text(field), now.Add(lifeOf(answer.Number("expires_in"))), now}
}

// lifeOf returns how long a credential is valid that WeChat gives for some seconds, at most as long as it is kept.
func lifeOf(seconds int64) time.Duration {
	return time.Duration(max(0, min(seconds, int64(keepCredential/time.Second)))) * time.Second
}

// callForAccount makes a call with the account's access token added, and once more with another token if WeChat refuses it.
func (s *Server) callForAccount(ctx context.Context, a accounts.Account, r wechatapi.Request) wechatapi.Outcome {
	return s.withToken(ctx, a, func(token string) wechatapi.Outcome {
		next := r
		next.Query = url.Values{"access_token": {token}}
		maps.Copy(next.Query, r.Query)
		return s.api.Do(ctx, next)
	})
}

// withToken calls perform with the account's access token, and once more with another token if WeChat refuses it.
func (s *Server) withToken(ctx context.Context, a accounts.Account, perform func(token string) wechatapi.Outcome) wechatapi.Outcome {
	refused := ""
	for {
		token, err := s.accessToken(ctx, a, refused, forcedPerDay)
		if err != nil {
			return failedOutcome(ctx, err)
		}
		out := perform(token.Value)
		if refused != "" || out.Failure == nil || !out.Failure.IsAboutToken() {
			return out
		}
		refused = token.Value
	}
}

// jsapiTicket returns the account's JS-SDK ticket (platform.md F.4).
func (s *Server) jsapiTicket(ctx context.Context, a accounts.Account) (accountCredential, error) {
	ticket, _, err := s.tokens.getOrMake(ctx, a, "ticket", accountCredential.isFresh, func(ctx context.Context) (accountCredential, error) {
		out := s.callForAccount(ctx, a, wechatapi.Request{Call: wechatapi.GetTicket, Query: url.Values{"type": {"jsapi"}}})
		if out.Failure != nil {
			return accountCredential{}, out.Failure
		}
		return newCredential(out.Answer, "ticket"), nil
	})
	return ticket, err
}
