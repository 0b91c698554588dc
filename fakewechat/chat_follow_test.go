package fakewechat

import (
	"net/http"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
)

// TestFindingsWhoLeftGetsNothing: until the user follows again, no callback of theirs allows the account a message.
func TestFindingsWhoLeftGetsNothing(t *testing.T) {
	gw, _ := gateway(t, http.StatusOK, fixed("success"))
	for _, test := range []struct {
		name string
		does func(s *site, t *testing.T)
	}{
		{"text", func(s *site, t *testing.T) { s.send(t, "text", "hi", nil) }},
		{"SCAN", func(s *site, t *testing.T) { s.send(t, "event", "SCAN k", nil) }},
		{"CLICK", func(s *site, t *testing.T) { s.send(t, "event", "CLICK k", nil) }},
		{"another process", func(s *site, t *testing.T) {
			sending := &sender.Sender{URL: gw, Account: sender.DevAccount(), PlatformURL: s.URL}
			if _, err := sending.Send(t.Context(), compose(t, "text", "hi")); err != nil {
				t.Fatal(err)
			}
		}},
		{"wrote", func(s *site, _ *testing.T) { s.platform.Did(sender.User, Wrote) }},
		{"paid", func(s *site, _ *testing.T) { s.platform.Did(sender.User, Paid) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, Config{Gateway: gw})
			s.platform.Did(sender.User, Wrote)
			s.send(t, "event", "unsubscribe", nil)
			test.does(s, t)
			s.wantSends(t, sender.User, 0, 45015)
			s.wantAPI(t, s.with(t, "/cgi-bin/message/custom/typing"), `{"touser":"`+sender.User+`","command":"Typing"}`, 45015)
			s.send(t, "event", "subscribe", nil)
			s.wantSends(t, sender.User, 3, 45047)
		})
	}
}

// TestFindingsPageEnforcesFollowing: the page's user who has left can follow again, and nothing else.
func TestFindingsPageEnforcesFollowing(t *testing.T) {
	gw, got := gateway(t, http.StatusOK, fixed("success"))
	s := newSite(t, Config{Account: testAccount(sender.Plain), Gateway: gw})
	t.Cleanup(s.platform.Close)
	page := s.open(t)
	follows := func(want followState) {
		t.Helper()
		var u chatUser
		if page.next("user", &u); u.OpenID != sender.User || u.Follow != want {
			t.Errorf("user %+v; want follow %q", u, want)
		}
	}
	event := func(args ...string) message { return message{User: sender.User, Kind: "event", Args: args} }
	accepted := func(body any) {
		t.Helper()
		if status, said := s.post(t, "/fake/lines", body, nil); status != http.StatusAccepted {
			t.Fatalf("%v: status %d: %v", body, status, said)
		}
	}
	accepted(saying("hi"))
	follows(isFollower)
	page.done()
	text := string(got.body)
	accepted(event("unsubscribe"))
	follows(hasLeft)
	page.done()
	for _, body := range []any{
		saying("hi"), event("SCAN", "k"), event("VIEW", "u"), event("unsubscribe"), event("LOCATION"),
		map[string]any{"user": sender.User, "message": map[string]any{"image": map[string]any{"mediaId": "1"}}},
		map[string]any{"user": sender.User, "xml": text, "new": true},
	} {
		status, said := s.post(t, "/fake/lines", body, nil)
		if said["error"] != "the user does not follow the account: follow it first" || said["errorZH"] != "用户没有关注公众号：请先关注" || status != http.StatusConflict {
			t.Errorf("%v: status %d: %v", body, status, said)
		}
	}
	for _, body := range []any{
		map[string]any{"user": sender.User, "xml": text}, // a retry may be late
		event("user_authorization_revoke"),               // of a web page
		event("TEMPLATESENDJOBFINISH"),
	} {
		accepted(body)
		page.done()
	}
	if _, body := s.get(t, logPath); strings.Contains(body, "follow it first") {
		t.Error("the log has a message that was not sent")
	}
	accepted(event("subscribe", "campaign"))
	follows(isFollower)
	page.done()
	accepted(saying("hi"))
	page.done()
}

// TestFindingsFollowStateEndsWithReset: nothing is known of the user any more.
func TestFindingsFollowStateEndsWithReset(t *testing.T) {
	s := newSite(t, Config{})
	s.platform.Did(sender.User, Unfollowed)
	if state, _ := s.platform.chat.addWatcher(s.platform.now()); state.Users[0].Follow != hasLeft {
		t.Errorf("the user is %+v", state.Users[0])
	}
	s.platform.Reset()
	if state, _ := s.platform.chat.addWatcher(s.platform.now()); state.Users[0].Follow != isNewcomer || s.platform.accountByAppID("").followOf(sender.User) != isNewcomer {
		t.Errorf("after Reset the user is %+v", state.Users[0])
	}
}
