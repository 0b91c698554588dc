package wechatapi

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"wxgate/internal/service"
)

// testToken must never show up in an error.
const testToken = "57_sampleWebAccessToken"

var (
	// snsCalls are made for a user, with the user's token or none.
	snsCalls = []*Call{ExchangeCode, RefreshUserToken, GetUserInfo, CheckUserToken}
	// accountCalls are made with the account's token.
	accountCalls = []*Call{GetTicket, SendMessage, SetTyping, GetCallbackIPs, GetQuota}
	allCalls     = append(append([]*Call{GetStableToken}, snsCalls...), accountCalls...)
)

// newClient returns a client of the host at base, which makes no call again.
func newClient(t *testing.T, base string) *Client {
	t.Helper()
	c := New([]string{base}, service.NewEnv(slog.New(slog.DiscardHandler)))
	c.Pause = func(context.Context, time.Duration) bool { return false }
	t.Cleanup(c.Close)
	return c
}
