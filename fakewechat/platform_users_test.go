package fakewechat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
)

// sends sends texts until one is refused, and returns how many arrived and the errcode of the last; at most 50.
func (s *site) sends(t *testing.T, to string) (arrived int, errcode any) {
	t.Helper()
	path := s.with(t, sendPath)
	for arrived < 50 {
		if m := s.api(t, path, text(to, "hi")); m["errcode"] != 0.0 {
			return arrived, m["errcode"]
		}
		arrived++
	}
	return arrived, 0.0
}

func (s *site) wantSends(t *testing.T, to string, arrived, errcode int) {
	t.Helper()
	if got, code := s.sends(t, to); got != arrived || code != float64(errcode) {
		t.Errorf("%d messages arrived, then %v; want %d, then %d", got, code, arrived, errcode)
	}
}

func TestWindows(t *testing.T) {
	const hours48 = 48 * time.Hour
	for _, test := range []struct {
		name    string
		did     Action
		lasts   time.Duration
		arrived int
		errcode int
	}{
		{"wrote", Wrote, hours48, 5, 45047},
		{"tapped", Tapped, time.Minute, 3, 45047},
		{"followed", Followed, time.Minute, 3, 45047},
		{"scanned", Scanned, time.Minute, 3, 45047},
		{"paid", Paid, hours48, 50, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, Config{})
			s.wantSends(t, sender.User, 0, 45015)
			s.platform.Did(sender.User, test.did)
			s.wantSends(t, sender.User, test.arrived, test.errcode)
			s.platform.Did(sender.User, test.did) // renews
			s.clock.advance(test.lasts - 1)
			s.wantSends(t, sender.User, test.arrived, test.errcode)
			s.platform.Did(sender.User, test.did)
			s.clock.advance(test.lasts)
			s.wantSends(t, sender.User, 0, 45015)
		})
	}
}

func TestWindowsTogether(t *testing.T) {
	s := newSite(t, Config{})
	p := s.platform
	p.Did(sender.User, Wrote)
	p.Did(sender.User, Tapped)
	s.wantSends(t, sender.User, 8, 45047)
	p.Did(sender.User, Wrote)
	p.Did(sender.User, Tapped)
	s.wantAPI(t, s.with(t, sendPath), text(sender.User, "a"), 0) // of the window that ends first
	s.clock.advance(time.Minute)
	s.wantSends(t, sender.User, 5, 45047)
	p.Did(sender.User, Wrote)
	p.Did("oAnother", Unfollowed)
	s.wantSends(t, "oAnother", 0, 45015)
	s.wantSends(t, sender.User, 5, 45047)
	p.Did(sender.User, Wrote)
	p.Did(sender.User, Unfollowed)
	s.wantSends(t, sender.User, 0, 45015)
	p.Did(sender.User, Followed)
	s.wantSends(t, sender.User, 3, 45047)
}

func TestDidNobody(t *testing.T) {
	s := newSite(t, Config{})
	for _, openid := range []string{"", strings.Repeat("o", maxOpenID+1)} {
		s.platform.Did(openid, Wrote)
		s.wantSends(t, openid, 0, 40003)
	}
	longest := strings.Repeat("o", maxOpenID)
	s.platform.Did(longest, Wrote)
	s.wantSends(t, longest, 5, 45047)
}

func TestUsersAreBounded(t *testing.T) {
	s := newSite(t, Config{})
	for i := range maxUsers {
		s.platform.Did(fmt.Sprint("o", i), Wrote)
	}
	if n := len(s.platform.accountByAppID("").api.users.values); n != maxUsers {
		t.Errorf("%d users are kept", n)
	}
	s.wantSends(t, sender.User, 0, 40003) // came first
	s.wantSends(t, "o0", 5, 45047)
}

// TestCallbacksTell: what the page or a Sender with a Platform sends is what a user did.
func TestCallbacksTell(t *testing.T) {
	gw, _ := gateway(t, http.StatusOK, fixed("success"))
	for _, test := range []struct {
		name     string
		callback func(t *testing.T) []byte
		arrived  int
		errcode  int
	}{
		{"text", func(t *testing.T) []byte { return compose(t, "text", "hi") }, 5, 45047},
		{"location", func(t *testing.T) []byte { return compose(t, "location", "1", "2") }, 5, 45047},
		{"CLICK", func(t *testing.T) []byte { return compose(t, "event", "CLICK", "k") }, 3, 45047},
		{"scancode_push", func(t *testing.T) []byte { return compose(t, "event", "scancode_push", "k") }, 3, 45047},
		{"scancode_waitmsg", func(t *testing.T) []byte { return compose(t, "event", "scancode_waitmsg", "k") }, 3, 45047},
		{"subscribe", func(t *testing.T) []byte { return compose(t, "event", "subscribe") }, 3, 45047},
		{"SCAN", func(t *testing.T) []byte { return compose(t, "event", "SCAN", "k") }, 3, 45047},
		{"VIEW", func(t *testing.T) []byte { return compose(t, "event", "VIEW", "u") }, 0, 45015},
		{"LOCATION", func(t *testing.T) []byte { return compose(t, "event", "LOCATION") }, 0, 45015},
		{"msgmenu", func(t *testing.T) []byte {
			return []byte(strings.Replace(string(compose(t, "text", "hi")), "<MsgId>", "<bizmsgmenuid>101</bizmsgmenuid><MsgId>", 1))
		}, 3, 45047},
		{"device_event", func(t *testing.T) []byte {
			return []byte(strings.Replace(string(compose(t, "text", "hi")), "[text]", "[device_event]", 1))
		}, 0, 45015},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, Config{})
			sending := &sender.Sender{URL: gw, Account: testAccount(sender.Compat), BeforeSend: s.platform.RecordCallback}
			callback := test.callback(t)
			send := func() {
				t.Helper()
				if _, err := sending.Send(t.Context(), callback); err != nil {
					t.Fatal(err)
				}
			}
			send()
			s.wantSends(t, sender.User, test.arrived, test.errcode)
			send() // a retry is nothing new
			s.wantSends(t, sender.User, 0, test.errcode)
			s.platform.Did(sender.User, Wrote)
			callback = compose(t, "event", "unsubscribe")
			send()
			s.wantSends(t, sender.User, 0, 45015)
		})
	}
	t.Run("page", func(t *testing.T) {
		s := newSite(t, Config{Gateway: gw})
		s.send(t, "text", "hi", nil)
		s.wantSends(t, sender.User, 5, 45047)
		s.send(t, "text", "hi", nil) // another MsgId
		s.wantSends(t, sender.User, 5, 45047)
	})
	t.Run("without a Platform", func(t *testing.T) {
		sending := &sender.Sender{URL: gw, Account: testAccount(sender.Plain)}
		if _, err := sending.Send(t.Context(), compose(t, "text", "hi")); err != nil {
			t.Error(err)
		}
	})
	t.Run("before the answer", func(t *testing.T) {
		s := newSite(t, Config{})
		var got any
		at, _ := gateway(t, http.StatusOK, func(*caught) string {
			got = s.api(t, s.with(t, sendPath), text(sender.User, "at once"))["errcode"]
			return "success"
		})
		sending := &sender.Sender{URL: at, Account: testAccount(sender.Plain), BeforeSend: s.platform.RecordCallback}
		if _, err := sending.Send(t.Context(), compose(t, "text", "hi")); err != nil {
			t.Fatal(err)
		}
		if got != 0.0 {
			t.Errorf("the gateway's own message, sent before its answer: %v", got)
		}
	})
}
