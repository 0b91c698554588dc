package fakewechat

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
)

// TestFindingsSendAgainIsANewMessage: the gateway gets another MsgId, and the same one only as a retry.
func TestFindingsSendAgainIsANewMessage(t *testing.T) {
	gw, got := gateway(t, 200, fixed("success"))
	s := newSite(t, Config{Account: testAccount(sender.Plain), Gateway: gw})
	t.Cleanup(s.platform.Close)
	page := s.open(t)
	send := func(body map[string]any) string {
		t.Helper()
		if status, said := s.post(t, "/fake/lines", body, nil); status != http.StatusAccepted {
			t.Fatalf("status %d: %v", status, said)
		}
		page.done()
		return string(got.body)
	}
	first := send(map[string]any{"user": sender.User, "kind": "text", "args": []string{"hi"}})
	if retry := send(map[string]any{"user": sender.User, "xml": first}); retry != first {
		t.Errorf("a retry is\n%s\nnot\n%s", retry, first)
	}
	s.clock.advance(time.Minute)
	again := send(map[string]any{"user": sender.User, "xml": first, "new": true})
	ids := regexp.MustCompile(`<(MsgId|CreateTime)>\d+<`)
	if ids.ReplaceAllString(again, "") != ids.ReplaceAllString(first, "") {
		t.Errorf("sent again it is\n%s\nat first\n%s", again, first)
	}
	for _, id := range ids.FindAllString(first, -1) {
		if strings.Contains(again, id) {
			t.Errorf("sent again it still has %s", id)
		}
	}

	// The editor begins with a new one, and tells of a MsgId that was sent.
	for _, test := range []struct {
		body map[string]any
		sent bool
	}{
		{map[string]any{"xml": again, "new": true}, false},
		{map[string]any{"xml": again}, true},
		{map[string]any{"xml": strings.Replace(again, "hi", "EDITED", 1)}, true},
	} {
		_, said := s.post(t, "/fake/xml", test.body, nil)
		if said["sent"] != test.sent || (said["xml"] == test.body["xml"]) == (test.body["new"] == true) {
			answer, _ := json.Marshal(said)
			t.Errorf("%v: got %s", test.body, answer)
		}
	}
}

// TestFindingsEventSentBefore: an event has no MsgId; its whole content tells that it was sent.
func TestFindingsEventSentBefore(t *testing.T) {
	gw, got := gateway(t, 200, fixed("success"))
	s := newSite(t, Config{Account: testAccount(sender.Plain), Gateway: gw})
	t.Cleanup(s.platform.Close)
	page := s.open(t)
	s.post(t, "/fake/lines", message{User: sender.User, Kind: "event", Args: []string{"CLICK", "key"}}, nil)
	page.done()
	for xml, sent := range map[string]bool{string(got.body): true, strings.Replace(string(got.body), "key", "other", 1): false} {
		if _, said := s.post(t, "/fake/xml", message{XML: xml}, nil); said["sent"] != sent {
			t.Errorf("%s: got %v", xml, said)
		}
	}
	if _, said := s.post(t, "/fake/xml", map[string]any{"xml": string(got.body), "new": true}, nil); said["sent"] != false {
		t.Errorf("a new one of the same second: got %v", said)
	}
}
