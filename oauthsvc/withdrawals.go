package oauthsvc

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/accounts"
	oauthv1 "wxgate/proto/oauth/v1"
)

// keepWithdrawal is as long as a gateway's session lasts at most: older sessions are over anyway.
const keepWithdrawal = 7 * 24 * time.Hour

// withdraw notes that a user withdraws now: what was given for the user before is not good any more.
func (s *Server) withdraw(ctx context.Context, a accounts.Account, openid string) error {
	return s.withdrawals.Put(ctx, keyOf(a, openid), strconv.AppendInt(nil, time.Now().UnixMicro(), 10))
}

// withdrewAt returns when a user withdrew last; the zero time if that is not known.
func (s *Server) withdrewAt(ctx context.Context, a accounts.Account, openid string) (time.Time, error) {
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

// ForgetUser implements oauth.v1.OAuthService.
func (s *Server) ForgetUser(ctx context.Context, req *oauthv1.ForgetUserRequest) (*oauthv1.ForgetUserResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	if err := s.withdraw(ctx, a, req.GetOpenid()); err != nil {
		return nil, failed(ctx, err).err()
	}
	if err := s.users.forget(ctx, a, req.GetOpenid()); err != nil {
		return nil, failed(ctx, err).err()
	}
	return &oauthv1.ForgetUserResponse{}, nil
}

// GetWithdrawal implements oauth.v1.OAuthService.
func (s *Server) GetWithdrawal(ctx context.Context, req *oauthv1.GetWithdrawalRequest) (*oauthv1.GetWithdrawalResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"openid", req.GetOpenid()})
	if err != nil {
		return nil, err
	}
	at, err := s.withdrewAt(ctx, a, req.GetOpenid())
	switch {
	case err != nil:
		return nil, failed(ctx, err).err()
	case at.IsZero():
		return &oauthv1.GetWithdrawalResponse{}, nil
	}
	return &oauthv1.GetWithdrawalResponse{WithdrawTime: timestamppb.New(at)}, nil
}
