package oauthsvc

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
)

// TestFindingsBrakeOnRefusedCodes: made-up codes are braked for their account alone, and only as long as they come.
func TestFindingsBrakeOnRefusedCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b codeBrake
		shop, club := accounts.Account{AppID: "wxshop"}, accounts.Account{AppID: "wxclub"}
		for range refusedCodesAtOnce {
			if f := b.checkAccount(shop); f != nil {
				t.Fatal(f)
			}
			b.countRefused(shop)
		}
		if f := b.checkAccount(shop); f == nil || f.Code != codes.ResourceExhausted || f.Reason.Name() != "RATE_LIMITED" || f.RetryAfter == 0 {
			t.Errorf("after %d: %+v; want RATE_LIMITED, and when to try again", refusedCodesAtOnce, f)
		}
		if f := b.checkAccount(club); f != nil {
			t.Errorf("another account: %v", f)
		}
		time.Sleep(time.Second)
		if f := b.checkAccount(shop); f != nil {
			t.Errorf("a second later: %v", f)
		}
		if most := 2 * 60 * refusedCodesPerSecond; most > 50_000 {
			t.Errorf("two replicas make %d calls a minute with refused codes, want below WeChat's 50,000", most)
		}
	})
}

// TestFindingsBrakeSavesCalls: a code that is braked is not sent to WeChat, and may be exchanged later.
func TestFindingsBrakeSavesCalls(t *testing.T) {
	p := newPlatform()
	good := p.answers[exchangeCall][0]
	p.says(exchangeCall, refusedWith(40029), good)
	f := p.serve(t)
	brake := f.server.brake.limiterOf(f.account(t))
	brake.AllowN(time.Now(), refusedCodesAtOnce-1)
	brake.SetLimit(0)
	_, err := f.exchange(t.Context(), "", "made up", "")
	expect(t, err, codes.InvalidArgument, "CODE_INVALID")
	p.expectCalls(t, exchangeCall)
	for i := range 3 {
		_, err := f.exchange(t.Context(), "", fmt.Sprint("code", i), "")
		expect(t, err, codes.ResourceExhausted, "RATE_LIMITED")
	}
	p.expectCalls(t)
	brake.SetLimit(refusedCodesPerSecond)
	brake.SetBurst(2 * refusedCodesAtOnce)
	deadline := time.Now().Add(patience)
	for f.server.brake.checkAccount(f.account(t)) != nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if token, err := f.exchange(t.Context(), "", "code0", ""); err != nil || token != testToken {
		t.Errorf("later: %q, %v; want the token", token, err)
	}
}
