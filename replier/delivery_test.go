package replier

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

func sendError(code codes.Code, reason, errcode string, meta ...string) error {
	m := map[string]string{}
	if errcode != "" {
		m["errcode"] = errcode
	}
	for _, key := range meta {
		key, value, given := strings.Cut(key, "=")
		if !given {
			value = "true"
		}
		m[key] = value
	}
	return &service.RPCError{Code: code, Reason: reason, Message: "refused", Metadata: m}
}

// TestPushFails: each answer ends in an outcome that can be seen, and only what surely was not sent is sent again.
func TestPushFails(t *testing.T) {
	const file = "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n"
	for name, tt := range map[string]struct {
		text string
		fail []error
		want *replierv1.Delivery
		sent []string
	}{
		"window":      {"a", []error{sendError(codes.FailedPrecondition, "WINDOW_CLOSED", "45015")}, &replierv1.Delivery{State: backlog.Refused, Reason: "WINDOW_CLOSED", Errcode: "45015", Parts: 1}, nil},
		"quota":       {"a", []error{sendError(codes.ResourceExhausted, "MESSAGE_LIMIT", "45047")}, &replierv1.Delivery{State: backlog.Refused, Reason: "MESSAGE_LIMIT", Errcode: "45047", Parts: 1}, nil},
		"gone":        {"a", []error{sendError(codes.NotFound, "UNKNOWN_ACCOUNT", "")}, &replierv1.Delivery{State: backlog.Refused, Reason: "UNKNOWN_ACCOUNT", Parts: 1}, nil},
		"busy":        {"a", []error{sendError(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "-1")}, &replierv1.Delivery{State: backlog.Sent, Reason: "", Parts: 1, PartsSent: 1, Retries: 1}, []string{"re: a"}},
		"not ours":    {"a", []error{sendError(codes.Unauthenticated, "", "")}, &replierv1.Delivery{State: backlog.Sent, Parts: 1, PartsSent: 1, Retries: 1}, []string{"re: a"}},
		"maybe":       {"a", []error{sendError(codes.DeadlineExceeded, "UPSTREAM_TIMEOUT", "", "maybe_sent")}, &replierv1.Delivery{State: backlog.Uncertain, Reason: "UPSTREAM_TIMEOUT", Parts: 1}, nil},
		"invalid":     {"a", []error{sendError(codes.InvalidArgument, "", "")}, &replierv1.Delivery{State: backlog.Refused, Reason: "refused", Parts: 1}, nil},
		"second part": {"long abc", []error{nil, sendError(codes.ResourceExhausted, "MESSAGE_LIMIT", "45047")}, &replierv1.Delivery{State: backlog.Refused, Reason: "MESSAGE_LIMIT", Errcode: "45047", Parts: 2, PartsSent: 1}, []string{strings.Repeat("abc", 1000)[:2048]}},
		"bot fails":   {"fail", nil, &replierv1.Delivery{State: backlog.GivenUp, Reason: "rule bot: forward to handler:bot: an error of type *fmt.wrapError"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, file, store.Config{}, nil)
			s.mailbox.fail = tt.fail
			msg := text(tt.text)
			s.expect(t, msg, deferred)
			close(s.gate(tt.text))
			got := s.state(t, msg, tt.want.GetState())
			ignore := protocmp.IgnoreFields(&replierv1.Delivery{}, "id", "account", "openid", "msg_type", "msg_id", "create_time", "update_time")
			if strings.HasPrefix(tt.want.GetReason(), "rule bot") {
				ignore = protocmp.IgnoreFields(&replierv1.Delivery{}, "id", "account", "openid", "msg_type", "msg_id", "create_time", "update_time", "reason")
				if !strings.HasPrefix(got.GetReason(), "rule bot: forward to handler:bot: ") || strings.Contains(got.GetReason(), "confide") {
					t.Errorf("reason %q", got.GetReason())
				}
			}
			if tt.want.GetState() == backlog.Sent {
				tt.want.Reason, tt.want.Errcode = got.GetReason(), got.GetErrcode() // of the attempt in vain
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform(), ignore); diff != "" {
				t.Errorf("delivery (-want +got):\n%s", diff)
			}
			if sent := s.mailbox.texts(); !cmp.Equal(tt.sent, sent) {
				t.Errorf("sent %q, want %q", sent, tt.sent)
			}
		})
	}
}

// TestPushCutOff: where the answer to a call is lost, oauthsvc is asked what became of it, until it knows.
func TestPushCutOff(t *testing.T) {
	const file = "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n"
	lost := sendError(codes.Unavailable, "", "")
	long := []string{strings.Repeat("abc", 1000)[:2048], strings.Repeat("abc", 1000)[2048:]}
	for name, tt := range map[string]struct {
		text        string
		fail, check []error
		want        *replierv1.Delivery
		sent        []string
	}{
		"did not come":      {"a", []error{lost}, nil, &replierv1.Delivery{State: backlog.Sent, Parts: 1, PartsSent: 1, Retries: 1}, []string{"re: a"}},
		"was sent":          {"a", []error{errCutOff}, nil, &replierv1.Delivery{State: backlog.Sent, Parts: 1, PartsSent: 1}, []string{"re: a"}},
		"was refused":       {"a", []error{lost}, []error{sendError(codes.ResourceExhausted, "MESSAGE_LIMIT", "45047")}, &replierv1.Delivery{State: backlog.Refused, Reason: "MESSAGE_LIMIT", Errcode: "45047", Parts: 1}, nil},
		"was busy":          {"a", []error{lost}, []error{sendError(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "-1")}, &replierv1.Delivery{State: backlog.Sent, Parts: 1, PartsSent: 1, Retries: 1}, []string{"re: a"}},
		"cut off again":     {"a", []error{errCutOff}, []error{lost, sendError(codes.Internal, "", "")}, &replierv1.Delivery{State: backlog.Sent, Parts: 1, PartsSent: 1}, []string{"re: a"}},
		"nobody knows":      {"a", []error{lost}, []error{sendError(codes.Unknown, "UPSTREAM_UNAVAILABLE", "", "maybe_sent")}, &replierv1.Delivery{State: backlog.Uncertain, Reason: "the process that gave WeChat the answer ended, or lost its store", Parts: 1}, nil},
		"a version before":  {"a", []error{errCutOff}, []error{sendError(codes.Unimplemented, "", "")}, &replierv1.Delivery{State: backlog.Uncertain, Reason: "the call was cut off", Parts: 1}, []string{"re: a"}},
		"one of two parts":  {"long abc", []error{errCutOff, nil}, nil, &replierv1.Delivery{State: backlog.Sent, Parts: 2, PartsSent: 2}, long},
		"the other of them": {"long abc", []error{nil, lost, nil}, nil, &replierv1.Delivery{State: backlog.Sent, Parts: 2, PartsSent: 2, Retries: 1}, long},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, file, store.Config{}, nil)
			s.mailbox.fail, s.mailbox.check = tt.fail, tt.check
			msg := text(tt.text)
			s.expect(t, msg, deferred)
			close(s.gate(tt.text))
			got := s.state(t, msg, tt.want.GetState())
			if tt.want.GetState() == backlog.Sent {
				tt.want.Reason, tt.want.Errcode = got.GetReason(), got.GetErrcode() // of the attempt in vain
			}
			ignore := protocmp.IgnoreFields(&replierv1.Delivery{}, "id", "account", "openid", "msg_type", "msg_id", "create_time", "update_time")
			if diff := cmp.Diff(tt.want, got, protocmp.Transform(), ignore); diff != "" {
				t.Errorf("delivery (-want +got):\n%s", diff)
			}
			if sent := s.mailbox.texts(); !cmp.Equal(tt.sent, sent) {
				t.Errorf("sent %q, want %q", sent, tt.sent)
			}
		})
	}
}

// TestTakeoverOfAttempt: where a replica died while an answer was sent, the one that takes the message over asks what became
// of it, and sends only what was not sent.
func TestTakeoverOfAttempt(t *testing.T) {
	for name, came := range map[string]bool{"did not come": false, "was sent": true} {
		t.Run(name, func(t *testing.T) {
			s := startSlow(t, "", store.Config{}, nil)
			msg := text("a")
			w, err := s.backlog.Defer(t.Context(), msg, time.Now(), false, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.BeginAttempt(t.Context(), says("re: a"), 1, 0); err != nil {
				t.Fatal(err)
			}
			if came {
				id, _, _ := w.LastAttempt()
				s.mailbox.mu.Lock()
				s.mailbox.sent = append(s.mailbox.sent, &oauthv1.SendCustomMessageRequest{AttemptId: id,
					Message: &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Text{Text: "re: a"}}})
				s.mailbox.mu.Unlock()
			}
			w.Release()
			s.state(t, msg, backlog.Sent)
			if got := s.mailbox.texts(); !cmp.Equal([]string{"re: a"}, got) || s.called("a") != 0 {
				t.Errorf("sent %q, asked %d times", got, s.called("a"))
			}
		})
	}
}

// TestFindingsRefusedAttemptIsNoDoubt: if the replier died after WeChat had refused an attempt in so many words, before it could
// note that, the answer is sent again.
func TestFindingsRefusedAttemptIsNoDoubt(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	s.mailbox.check = []error{sendError(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "-1", "retry_after_ms=1000")}
	msg := text("a")
	w, err := s.backlog.Defer(t.Context(), msg, time.Now(), false, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.BeginAttempt(t.Context(), says("re: a"), 1, 0); err != nil {
		t.Fatal(err)
	}
	w.Release()
	s.state(t, msg, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: a"}, got) {
		t.Errorf("sent %q", got)
	}
}

// TestRetryDelivery: an answer that was refused is sent when an operator says so; the bot is not asked again.
func TestRetryDelivery(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, nil)
	s.mailbox.fail = []error{sendError(codes.FailedPrecondition, "WINDOW_CLOSED", "45015")}
	msg := text("a")
	s.expect(t, msg, deferred)
	close(s.gate("a"))
	d := s.state(t, msg, backlog.Refused)
	if _, err := s.deliveries.RetryDelivery(t.Context(), &replierv1.RetryDeliveryRequest{Id: d.GetId()}); err != nil {
		t.Fatal(err)
	}
	s.state(t, msg, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: a"}, got) || s.called("a") != 1 {
		t.Errorf("sent %q, asked %d times", got, s.called("a"))
	}
	for name, err := range map[string]error{
		"FailedPrecondition": second(s.deliveries.RetryDelivery(t.Context(), &replierv1.RetryDeliveryRequest{Id: d.GetId()})),
		"NotFound":           second(s.deliveries.GetDelivery(t.Context(), &replierv1.GetDeliveryRequest{Id: strings.Repeat("0", 32)})),
		"InvalidArgument":    second(s.deliveries.GetDelivery(t.Context(), &replierv1.GetDeliveryRequest{Id: "../x"})),
	} {
		if got := statusCode(err); got != name {
			t.Errorf("got %s (%v), want %s", got, err, name)
		}
	}
}

// TestFindingsFirstAnswerOfUnverifiedAccount: the user of an account that may not send customer-service messages (48001)
// gets a slow answer with the next message; what was owed by then likewise, and later answers are held.
func TestFindingsFirstAnswerOfUnverifiedAccount(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, nil)
	s.mailbox.refuse(sendError(codes.PermissionDenied, "NOT_AUTHORIZED", "48001"))
	s.mailbox.typing = errors.New("not of its right") // nothing is learned of it
	var owed []*wechatv1.Message
	for i := range 5 {
		msg := text("a")
		msg.FromUserName = fmt.Sprint("oUser", i)
		s.expect(t, msg, deferred)
		owed = append(owed, msg)
	}
	close(s.gate("a"))
	for _, msg := range owed {
		if d := s.state(t, msg, backlog.Kept); d.GetReason() != errNotAllowed.Error() {
			t.Errorf("reason %q", d.GetReason())
		}
		next := text("next")
		next.FromUserName = msg.GetFromUserName()
		s.expect(t, next, &replierv1.ReplyResponse{Reply: says("re: a")})
		s.state(t, msg, backlog.Sent)
	}
	s.expect(t, text("held"), newResponse(stateHold, nil))
	if got := s.mailbox.calls(); got > maxPushes || got == 0 {
		t.Errorf("WeChat was given %d answers; want one or a few at once", got)
	}
}

// TestFindingsTypingTellsOfTheRight: where the typing sign is refused while WeChat waits, the user is told to write again.
func TestFindingsTypingTellsOfTheRight(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, func(c *Config) { c.BusyText = "busy" })
	refused := sendError(codes.PermissionDenied, "NOT_AUTHORIZED", "48001")
	s.mailbox.refuse(refused)
	s.mailbox.typing = refused
	for said, answer := range map[string]string{"a": "re: a", "fail": "busy"} {
		s.server.slow.blocked.forget("shop")
		msg := text(said)
		msg.FromUserName = "oUser" + said
		s.expect(t, msg, newResponse(stateDeferred, says(accounts.LaterText)))
		close(s.gate(said))
		s.state(t, msg, backlog.Kept)
		next := text("next")
		next.FromUserName = msg.GetFromUserName()
		s.expect(t, next, &replierv1.ReplyResponse{Reply: says(answer)})
	}
	if got := s.mailbox.calls(); got != 0 {
		t.Errorf("WeChat was given %d answers", got)
	}
}

// forget is for an account of which nothing shall be known.
func (r *blockedAccounts) forget(account string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rights, account)
}

// TestFindingsReplierWithoutOAuth: what a gateway stored in the belief that it can be pushed waits for the user's next message.
func TestFindingsReplierWithoutOAuth(t *testing.T) {
	s := startSlow(t, "", store.Config{}, func(c *Config) { c.OAuth.Addr = "" })
	msg := text("a")
	if err := s.backlog.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
		t.Fatal(err)
	}
	close(s.gate("a"))
	s.state(t, msg, backlog.Kept)
	s.expect(t, text("next"), &replierv1.ReplyResponse{Reply: says("re: a")})
}

// TestStoredByGateway: what a gateway stored while no replier was there is answered, in order.
func TestStoredByGateway(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	first, second := text("first"), text("second")
	second.CreateTime++
	for _, msg := range []*wechatv1.Message{second, first} {
		if err := s.backlog.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
			t.Fatal(err)
		}
	}
	close(s.gate("second"))
	s.state(t, second, backlog.Pending)
	close(s.gate("first"))
	s.state(t, second, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: first", "re: second"}, got) {
		t.Errorf("sent %q", got)
	}
	s.expect(t, first, deferred) // WeChat's retry, which came late
}

// TestFindingsStoredByGatewayForLater: the answer to a message that a gateway stored goes the way that its user was told, not the
// way of a rule that the gateway does not know.
func TestFindingsStoredByGatewayForLater(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", slow: later}}\n", store.Config{}, nil)
	close(s.gate("told"))
	close(s.gate("untold"))
	told, untold := text("told"), text("untold")
	untold.FromUserName = "oOther"
	for msg, later := range map[*wechatv1.Message]bool{told: true, untold: false} {
		if err := s.backlog.Store(t.Context(), msg, time.Now(), later, map[bool]string{true: accounts.LaterText}[later]); err != nil {
			t.Fatal(err)
		}
	}
	s.state(t, told, backlog.Kept)
	s.expect(t, text("next"), &replierv1.ReplyResponse{Reply: says("re: told")})
	s.state(t, untold, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: untold"}, got) {
		t.Errorf("sent %q", got)
	}
}

// TestAnsweredWhileStored: a gateway stored a message whose replier is alive and slow: that one's answer is sent.
func TestAnsweredWhileStored(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", timeout: 20s}}\n", store.Config{}, nil)
	msg := text("a")
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, _ = s.Reply(ctx, &replierv1.ReplyRequest{Message: msg, Coordination: mayDefer})
	}()
	for s.called("a") == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.backlog.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
		t.Fatal(err)
	}
	<-asked
	close(s.gate("a"))
	s.state(t, msg, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: a"}, got) || s.called("a") != 1 {
		t.Errorf("sent %q, asked %d times", got, s.called("a"))
	}
}

// TestAnsweredWhileWorkedOn: while a bot works on a message that a gateway stored, another attempt is answered in time: the
// user reads one answer.
func TestAnsweredWhileWorkedOn(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	if err := s.backlog.ListenForQuestions(); err != nil {
		t.Fatal(err)
	}
	msg := text("a")
	if err := s.backlog.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
		t.Fatal(err)
	}
	for s.called("a") == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	s.backlog.MarkAnswered(msg)
	close(s.gate("a"))
	if d := s.state(t, msg, backlog.Sent); d.GetReason() != answeredInTime {
		t.Errorf("reason %q, want %q", d.GetReason(), answeredInTime)
	}
	if got := s.mailbox.texts(); len(got) > 0 {
		t.Errorf("sent %q too", got)
	}
}

// TestPushOrder: a user's answers follow in the order of the messages; another user does not wait for them.
func TestPushOrder(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, nil)
	first, second, other := text("first"), text("second"), text("other")
	other.FromUserName = "oOther"
	for _, msg := range []*wechatv1.Message{first, second, other} {
		s.expect(t, msg, deferred)
	}
	close(s.gate("second"))
	close(s.gate("other"))
	s.state(t, other, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: other"}, got) {
		t.Errorf("sent %q", got)
	}
	close(s.gate("first"))
	s.state(t, second, backlog.Sent)
	if got := s.mailbox.texts(); !cmp.Equal([]string{"re: other", "re: first", "re: second"}, got) {
		t.Errorf("sent %q", got)
	}
}

func second[T any](_ T, err error) error { return err }

// TestFindingsOversizedAnswersStopNobody: more answers that never fit into the store than there are sends at a time end, each
// after one call of its bot; then an ordinary answer of another user is sent.
func TestFindingsOversizedAnswersStopNobody(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, nil)
	word := strings.Repeat("x", 900)
	var oversized []*wechatv1.Message
	for i := range maxPushes + 4 {
		msg := text("long " + word)
		msg.FromUserName += strconv.Itoa(i)
		oversized = append(oversized, msg)
		s.expect(t, msg, deferred)
	}
	close(s.gate("long " + word))
	for _, msg := range oversized {
		if d := s.state(t, msg, backlog.GivenUp); !strings.Contains(d.GetReason(), "900008 bytes, expected at most 65536") {
			t.Errorf("reason %q; want that it is too large", d.GetReason())
		}
	}
	if n := s.called("long " + word); n != len(oversized) {
		t.Errorf("the bot was asked %d times about %d messages", n, len(oversized))
	}
	ordinary := text("a")
	s.expect(t, ordinary, deferred)
	close(s.gate("a"))
	s.state(t, ordinary, backlog.Sent)
}

// TestFindingsOversizedLaterAnswerLocksNobodyOut: the user of such an answer that waits for the next message is answered again.
func TestFindingsOversizedLaterAnswerLocksNobodyOut(t *testing.T) {
	s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s, slow: later}}\n", store.Config{}, nil)
	word := strings.Repeat("x", 900)
	msg, next := text("long "+word), text("a")
	s.expect(t, msg, newResponse(stateDeferred, wechatv1.TextReplyOf(accounts.LaterText)))
	close(s.gate("long " + word))
	s.state(t, msg, backlog.GivenUp)
	s.expect(t, next, newResponse(stateDeferred, wechatv1.TextReplyOf(accounts.LaterText)))
	close(s.gate("a"))
	s.state(t, next, backlog.Kept)
}

// TestFindingsAnswersThatNeverFit: the user of a message that leaves no room for its answer in the store hears so, pushed or
// with the next message, and is answered again.
func TestFindingsAnswersThatNeverFit(t *testing.T) {
	for _, how := range []accounts.How{accounts.Push, accounts.Later} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			s := startSlow(t, "rules:\n  - {name: bot, forward: {to: \"handler:bot\", wait: 0s}}\n", store.Config{}, func(c *Config) {
				c.Slow.How, c.BusyText = how, "busy"
			})
			const long = "long xxxxxxxxxxxx" // 12 kB
			msg := text(long)
			msg.Extra = []*wechatv1.Element{{Name: "Large", Text: strings.Repeat("y", 776_000)}}
			if resp := s.attempt(t, msg); resp.GetCoordination().GetState() != stateDeferred {
				t.Fatalf("got %v", resp)
			}
			close(s.gate(long))
			if how == accounts.Later {
				s.state(t, msg, backlog.Kept)
				s.expect(t, text("next"), &replierv1.ReplyResponse{Reply: says("busy")})
			}
			if d := s.state(t, msg, backlog.Refused); !strings.Contains(d.GetReason(), "too large") {
				t.Errorf("reason %q; want that it is too large", d.GetReason())
			}
			if how == accounts.Push && !cmp.Equal([]string{"busy"}, s.mailbox.texts()) {
				t.Errorf("sent %q", s.mailbox.texts())
			}
			if s.called(long) != 1 {
				t.Errorf("the bot was asked %d times", s.called(long))
			}
		})
	}
}
