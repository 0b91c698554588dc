package replier

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	"wxgate/internal/backlog"
	"wxgate/internal/store"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestFindingsRestartsGiveNothingUp: repliers that are stopped in order, one after the other, while WeChat refuses all answers
// leave every answer to the next one: each arrives once when WeChat takes them again, whether it was made before or not.
func TestFindingsRestartsGiveNothingUp(t *testing.T) {
	const restarts, each = 6, 10
	wechat := &mailbox{}
	address, dir := wechat.listen(t), t.TempDir()
	wechat.refuse(sendError(codes.FailedPrecondition, "IP_NOT_ALLOWED", "40164"))
	made, unmade := make([]*wechatv1.Message, each), make([]*wechatv1.Message, each)
	for i := range each {
		made[i], unmade[i] = text("made"), text(fmt.Sprint("unmade ", i))
		made[i].FromUserName, unmade[i].FromUserName = fmt.Sprint("oMade", i), fmt.Sprint("oUnmade", i)
	}
	for process := range restarts + 1 {
		t.Run(fmt.Sprint("process ", process), func(t *testing.T) {
			last := process == restarts
			if last { // else an answer waits for minutes by now
				wechat.refuse(nil)
			}
			s := startSlow(t, atOnce, store.Config{Dir: dir}, func(c *Config) { c.OAuth.Addr = address })
			if process == 0 {
				for _, msg := range slices.Concat(made, unmade) {
					s.expect(t, msg, deferred)
				}
			}
			before := wechat.calls()
			close(s.gate("made"))
			eventually(t, "each answer to be tried again", func() bool { return wechat.calls() >= before+each })
			eventually(t, "each bot to be asked again", func() bool {
				return !slices.ContainsFunc(unmade, func(m *wechatv1.Message) bool { return s.called(m.GetText().GetContent()) == 0 })
			})
			if !last {
				return
			}
			for _, msg := range unmade {
				close(s.gate(msg.GetText().GetContent()))
			}
			for _, msg := range slices.Concat(made, unmade) {
				s.state(t, msg, backlog.Sent)
			}
		})
	}
	got := wechat.texts()
	slices.Sort(got)
	if len(got) != 2*each || len(slices.Compact(got)) != each+1 {
		t.Errorf("%d answers arrived, want %d: %q", len(got), 2*each, got)
	}
}
