package gateway

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/testaddr"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// eventXML returns an event about testUser, sent by the system.
func eventXML(event string) string {
	return "<xml><ToUserName><![CDATA[" + testAccount + "]]></ToUserName><FromUserName><![CDATA[oSystem0000000000000000001]]></FromUserName>" +
		"<CreateTime>1767225600</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[" + event + "]]></Event>" +
		"<OpenID><![CDATA[" + testUser + "]]></OpenID><AppID><![CDATA[" + testAppID + "]]></AppID><RevokeInfo><![CDATA[301]]></RevokeInfo></xml>"
}

// forgets returns wxgate_forgotten_users_total by outcome.
func (f *fixture) forgets(t testing.TB) map[string]int {
	return f.counts(t, "wxgate_forgotten_users_total")
}

func TestForget(t *testing.T) {
	for _, test := range []struct {
		name, body string
		fails      error
		forgot     bool
		outcome    string
		level      string
	}{
		{"revoke", eventXML("user_authorization_revoke"), nil, true, "forgotten", "INFO"},
		{"cancellation", eventXML("user_authorization_cancellation"), nil, true, "forgotten", "INFO"},
		{"another change", eventXML("user_info_modified"), nil, false, "", "INFO"},
		{"another event", eventXML("subscribe"), nil, false, "", "INFO"},
		{"a text", textXML("user_authorization_revoke"), nil, false, "", "INFO"},
		{"an account without a login", eventXML("user_authorization_revoke"), &service.RPCError{Code: codes.NotFound, Reason: "UNKNOWN_ACCOUNT", Message: "confide"}, true, "no_login", "INFO"},
		{"oauthsvc fails", eventXML("user_authorization_revoke"), &service.RPCError{Code: codes.Unavailable, Reason: "STORE_UNAVAILABLE", Message: "confide"}, true, "failed", "ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, fake := startOAuth(t, nil)
			fake.will("ForgetUser", test.fails)
			f.bot.say(text("bye"))
			if got := f.post(t, own.of(accounts.Safe, test.body)); got.Status != 200 || !strings.Contains(got.Body, "<Encrypt>") {
				t.Errorf("%d %s; the answer is the bot's, whatever becomes of the user", got.Status, got.Body)
			}
			var want []proto.Message
			counts := map[string]int{}
			if test.forgot {
				want = append(want, &oauthv1.ForgetUserRequest{Account: "safe", Openid: testUser})
				counts[test.outcome] = 1
			}
			if diff := cmp.Diff(want, fake.made(), protocmp.Transform()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(counts, f.forgets(t)); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			line := f.lines(t, "http")[0]
			if got, _ := line["forget"].(string); got != test.outcome || line["level"] != test.level || line["outcome"] != "replied" {
				t.Errorf("line: %v", line)
			}
		})
	}
}

// The replier and oauthsvc work at the same time: each waits here for the other to have begun.
func TestForgetBesideReply(t *testing.T) {
	f, fake := startOAuth(t, nil)
	asked, forgetting := make(chan struct{}), make(chan struct{})
	wait := func(ctx context.Context, other chan struct{}) {
		select {
		case <-other:
		case <-ctx.Done():
			t.Error("one waits for the other")
		}
	}
	fake.forget = func(ctx context.Context) { close(forgetting); wait(ctx, asked) }
	f.bot.will(func(ctx context.Context, _ *wechatv1.Message) (*wechatv1.Reply, error) {
		close(asked)
		wait(ctx, forgetting)
		return nil, nil
	})
	f.post(t, own.of(accounts.Plain, eventXML("user_authorization_revoke"))).expect(t, 200, "success")
}

// An oauthsvc that hangs, or is away, delays the answer no longer than a replier may.
func TestForgetIsBounded(t *testing.T) {
	short := func(cfg *Config) { cfg.ReplyTimeout = margin + 50*time.Millisecond }
	hanging, fake := startOAuth(t, short)
	release := make(chan struct{})
	defer close(release)
	fake.forget = func(context.Context) { <-release }
	away := start(t, func(cfg *Config) { short(cfg); cfg.OAuth.Addr = testaddr.Unused(t) })
	for name, f := range map[string]*fixture{"hangs": hanging, "away": away} {
		f.post(t, own.of(accounts.Plain, eventXML("user_authorization_revoke"))).expect(t, 200, "success")
		if diff := cmp.Diff(map[string]int{"failed": 1}, f.forgets(t)); diff != "" {
			t.Errorf("%s: counts (-want +got):\n%s", name, diff)
		}
		line := f.lines(t, "http")[0]
		if failed, _ := line["error"].(string); line["forget"] != "failed" || !strings.Contains(failed, "is not erased: oauth: DeadlineExceeded") {
			t.Errorf("%s: line: %v", name, line)
		}
	}
}

// Without oauthsvc nothing is kept, and nothing is to be forgotten.
func TestNothingToForget(t *testing.T) {
	f := start(t, nil)
	f.post(t, own.of(accounts.Plain, eventXML("user_authorization_revoke"))).expect(t, 200, "success")
	if line := f.lines(t, "http")[0]; line["forget"] != nil || line["outcome"] != "silent" {
		t.Errorf("line: %v", line)
	}
}
