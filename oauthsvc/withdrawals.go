package oauthsvc

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"wxgate/internal/accounts"
)

// keepWithdrawal is as long as a gateway's session lasts at most: older sessions are over anyway.
const keepWithdrawal = 7 * 24 * time.Hour

// noteWithdrawal notes that a user withdraws now: sessions and tokens from before are no longer valid.
func (s *Server) noteWithdrawal(ctx context.Context, a accounts.Account, openid string) error {
	return s.withdrawals.Put(ctx, keyOf(a, openid), strconv.AppendInt(nil, time.Now().UnixMicro(), 10))
}

// withdrawalTime returns when a user withdrew last; the zero time if that is not known.
func (s *Server) withdrawalTime(ctx context.Context, a accounts.Account, openid string) (time.Time, error) {
	value, ok, err := s.withdrawals.Get(ctx, keyOf(a, openid))
	if err != nil || !ok {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("a withdrawal is kept as %d bytes; expected a number", len(value))
	}
	return time.UnixMicro(micros), nil
}
